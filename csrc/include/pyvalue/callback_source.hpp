// Anybody's test: a function of the values themselves.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "pyvalue/table.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

// p-value of x against y given z: x and y (rows,), z (given, rows) row after row, one row a variable.
using TestFunction =
    std::function<double(const double* x, const double* y, const double* z, std::int64_t rows, std::int64_t given)>;

// A test returned no p-value: NaN, or a number outside [0, 1]. Holds what it was called with.
struct TestFailure : std::exception {
  std::size_t x_column = 0, y_column = 0;
  std::vector<std::size_t> given_columns;
  std::vector<double> x, y, z;
  double p = 0.0;

  const char* what() const noexcept override { return "a test of independence returned no p-value"; }
};

// The function is told of no effective number of rows: it sees the rows, as often as they were drawn.
class CallbackSource final : public TestSource {
 public:
  CallbackSource(Table table, TestFunction function, bool is_threadsafe)
      : table_(std::move(table)), function_(std::move(function)), is_threadsafe_(is_threadsafe) {}

  std::size_t rows() const override { return table_.rows(); }
  std::size_t cols() const override { return table_.cols(); }
  bool is_threadsafe() const override { return is_threadsafe_; }
  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const override;

 private:
  Table table_;
  TestFunction function_;
  bool is_threadsafe_;
};

}  // namespace pyvalue
