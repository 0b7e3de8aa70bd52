// Fisher-z test of conditional independence on a correlation matrix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyvalue/matrix_view.hpp"

namespace pyvalue {

enum class Decision : std::uint8_t { dependent, independent, singular };

// Two-sided p-value of partial correlation r with the given degrees of freedom (n - |S| - 3).
double fisher_z_p_value(double r, double degrees_of_freedom);

// Thresholds and, for cases that rounding could tip, the test evaluated term by term as causal-learn does: inverse of
// the submatrix in the order (min(x, y), max(x, y), sorted S) by LU with partial pivoting, atanh, normal CDF.
class FisherZ {
 public:
  struct Scratch {
    std::vector<double> matrix;
    std::vector<double> solutions;
    std::vector<std::size_t> variables;
  };

  // n is the (effective) number of rows, it need not be whole. The correlation matrix must outlive the test.
  FisherZ(const SquareMatrix& correlation, double n, double alpha);

  const SquareMatrix& correlation() const { return *correlation_; }

  // x and y are independent given a set of this size iff r^2 < the threshold. From order n - 3 on the p-value is 1
  // whatever r is, and the threshold is above 1.
  double squared_threshold(std::size_t order) const;

  Decision decide(std::size_t x, std::size_t y, std::span<const std::size_t> given, Scratch& scratch) const;

 private:
  const SquareMatrix* correlation_;
  double n_;
  double alpha_;
  double critical_z_;
};

}  // namespace pyvalue
