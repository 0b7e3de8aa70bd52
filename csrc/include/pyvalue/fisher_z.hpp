// Fisher-z test of conditional independence on a correlation matrix.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/effective_rows.hpp"
#include "pyvalue/square.hpp"

namespace pyvalue {

// Two-sided p-value of partial correlation r with the given degrees of freedom (n - |S| - 3).
double fisher_z_p_value(double r, double degrees_of_freedom);

// p-value of the first variable against the second given the others, from n rows. Takes the correlations of all of them
// (size, size) and overwrites them. 1 where n - |S| - 3 is not positive, NaN where the matrix is singular.
double fisher_z_p_value(double* correlation, std::size_t size, double n, std::vector<double>& solutions);

// Thresholds and, for cases that rounding could tip, the test evaluated term by term as causal-learn does: inverse of
// the submatrix in the order (min(x, y), max(x, y), sorted S) by LU with partial pivoting, atanh, normal CDF.
class FisherZ : public CiTest {
 public:
  struct Scratch {
    std::vector<double> matrix;
    std::vector<double> solutions;
    std::vector<std::size_t> variables;
  };

  // The number of rows need not be whole.
  FisherZ(SquareMatrix correlation, EffectiveRows rows, double alpha);

  // Another sample worth as many rows; sweeps stay valid.
  void set_correlation(const SquareMatrix& correlation) { set_correlation(correlation, EffectiveRows(rows_.all())); }
  void set_correlation(const SquareMatrix& correlation, EffectiveRows rows);

  const SquareMatrix& correlation() const { return correlation_; }

  // x and y are independent given a set of this size iff r^2 < the threshold. From order n - 3 on the p-value is 1
  // whatever r is, and the threshold is above 1.
  double squared_threshold(std::size_t order) const { return squared_threshold(order, rows_.all()); }
  double squared_threshold(std::size_t order, std::size_t x, std::size_t y) const {
    return squared_threshold(order, rows_.of(x, y));
  }
  bool is_one_threshold_for_all() const { return rows_.is_one_for_all(); }

  // NaN where the submatrix is singular.
  double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given, Scratch& scratch) const;

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override { return 4.0; }

 private:
  double squared_threshold(std::size_t order, double rows) const;
  SquareMatrix correlation_;
  EffectiveRows rows_;
  double critical_z_;
};

}  // namespace pyvalue
