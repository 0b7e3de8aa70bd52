// Fisher-z tests on correlations other than Pearson's: what such sources share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pyvalue/square.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

// One thread's estimates.
class CorrelationEstimator {
 public:
  virtual ~CorrelationEstimator() = default;

  // Correlations of all columns, where row r counts counts[r] times. Of a column that has one value there, or none,
  // there is no correlation: its row and column, with the diagonal, are NaN.
  virtual void estimate(const RowCount* counts, SquareMatrix& correlation, Monitor& monitor) = 0;
};

// Coefficients that are estimated pair by pair need not fit together: a matrix with an eigenvalue that is negative
// beyond rounding belongs to no data at all, and partial correlations of it mean nothing. Such a matrix is replaced by
// the nearest correlation matrix, and counted. A singular one is left alone: tests that need its inverse say so.
class CorrelationSource : public TestSource {
 public:
  // Of every column the share of information that its coefficients keep: under independence the variance of the
  // coefficient of columns i and j is 1 / (n information[i] information[j]), where that of Pearson's is 1 / n. Tests are
  // told of so many fewer rows.
  virtual std::vector<double> information() const = 0;

  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const final;

  // The matrix under the tests, where row r counts counts[r] times.
  SquareMatrix correlation(const RowCount* counts, Monitor& monitor) const;

  // Matrices that had to be replaced, of all that replicators of this source have loaded so far.
  std::uint64_t repairs() const { return repairs_.load(std::memory_order_relaxed); }

 protected:
  virtual std::unique_ptr<CorrelationEstimator> make_estimator() const = 0;

 private:
  mutable std::atomic<std::uint64_t> repairs_{0};
};

}  // namespace pyvalue
