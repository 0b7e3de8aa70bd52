// Fisher-z test of conditional independence on a correlation matrix.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "pyvalue/ci_test.hpp"
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

  // n is the (effective) number of rows, it need not be whole. Where coefficients are worth less than Pearson's,
  // information has the share that each variable keeps: the coefficient of x and y is worth n times both their shares.
  FisherZ(SquareMatrix correlation, double n, double alpha, std::vector<double> information = {});

  // Another sample of as many rows; sweeps stay valid.
  void set_correlation(const SquareMatrix& correlation, std::vector<double> information = {});

  const SquareMatrix& correlation() const { return correlation_; }

  // x and y are independent given a set of this size iff r^2 < the threshold. From order n - 3 on the p-value is 1
  // whatever r is, and the threshold is above 1.
  double squared_threshold(std::size_t order) const { return squared_threshold(order, n_); }
  double squared_threshold(std::size_t order, std::size_t x, std::size_t y) const {
    return squared_threshold(order, rows_of(x, y));
  }
  bool is_one_threshold_for_all() const { return information_.empty(); }

  // NaN where the submatrix is singular.
  double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given, Scratch& scratch) const;

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override { return 4.0; }

 private:
  double squared_threshold(std::size_t order, double rows) const;
  double rows_of(std::size_t x, std::size_t y) const {
    return information_.empty() ? n_ : n_ * information_[x] * information_[y];
  }

  SquareMatrix correlation_;
  std::vector<double> information_;
  double n_;
  double critical_z_;
};

}  // namespace pyvalue
