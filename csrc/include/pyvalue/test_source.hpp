// Data together with a kind of test: makes the test on all rows, and on the rows of replicates.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/effective_rows.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"

namespace pyvalue {

// One thread's tests on replicates. A replicate is how often each row counts.
class Replicator {
 public:
  virtual ~Replicator() = default;

  // Takes the replicates whose row counts are counts[0], ..., counts[size - 1], each (rows,).
  virtual void load(const std::vector<const RowCount*>& counts, Monitor& monitor) = 0;

  // Whether the column has one value in all rows of the replicate (or none at all), so that no test of it says a thing.
  virtual bool is_constant(std::size_t index, std::size_t column) const = 0;

  // The test over these columns, in this order, of replicate `index` of those that were loaded. The same object every
  // time: its sweeps stay valid, its answers change.
  virtual const CiTest& test(std::size_t index, const std::vector<std::size_t>& columns) = 0;
};

class TestSource {
 public:
  virtual ~TestSource() = default;
  virtual std::size_t rows() const = 0;
  virtual std::size_t cols() const = 0;

  // effective: rows that the tests are told of. Must not outlive the source.
  virtual std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const = 0;

  // Replicates that a replicator had best take at once.
  virtual std::size_t batch() const { return 1; }
  virtual bool is_threadsafe() const { return true; }
};

}  // namespace pyvalue
