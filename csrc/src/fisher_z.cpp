#include "pyvalue/fisher_z.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "pyvalue/conditioning_sweep.hpp"

namespace pyvalue {
namespace {

// Correlation matrices have a unit diagonal, so a pivot of this size is rounding error of zero.
constexpr double singular_pivot = 1e-13;

constexpr double above_any_squared_correlation = 4.0;

// The upper tail as 1 - CDF: for large z it rounds to zero like the reference's, and a tiny alpha then keeps the edge.
double upper_tail(double z) {
  const double scaled = z / std::numbers::sqrt2;
  const double cdf = scaled < 1.0 ? 0.5 + 0.5 * std::erf(scaled) : 1.0 - 0.5 * std::erfc(scaled);
  return 1.0 - cdf;
}

// The smallest z whose p-value is not above alpha.
double critical_value(double alpha) {
  double independent = 0.0, dependent = 40.0;
  while (true) {
    const double middle = 0.5 * (independent + dependent);
    if (middle <= independent || middle >= dependent) return dependent;
    (2.0 * upper_tail(middle) > alpha ? independent : dependent) = middle;
  }
}

// LU with partial pivoting of the (size, size) matrix in place, applied to the columns of right, (size, 2).
bool solve_two(double* matrix, double* right, std::size_t size) {
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t pivot = k;
    for (std::size_t row = k + 1; row < size; ++row)
      if (std::abs(matrix[row * size + k]) > std::abs(matrix[pivot * size + k])) pivot = row;
    if (std::abs(matrix[pivot * size + k]) < singular_pivot) return false;
    if (pivot != k) {
      std::swap_ranges(matrix + k * size, matrix + (k + 1) * size, matrix + pivot * size);
      std::swap_ranges(right + k * 2, right + k * 2 + 2, right + pivot * 2);
    }
    for (std::size_t row = k + 1; row < size; ++row) {
      const double factor = matrix[row * size + k] / matrix[k * size + k];
      for (std::size_t column = k + 1; column < size; ++column)
        matrix[row * size + column] -= factor * matrix[k * size + column];
      for (std::size_t column = 0; column < 2; ++column) right[row * 2 + column] -= factor * right[k * 2 + column];
    }
  }
  for (std::size_t k = size; k-- > 0;) {
    for (std::size_t column = 0; column < 2; ++column) {
      double value = right[k * 2 + column];
      for (std::size_t row = k + 1; row < size; ++row) value -= matrix[k * size + row] * right[row * 2 + column];
      right[k * 2 + column] = value / matrix[k * size + k];
    }
  }
  return true;
}

}  // namespace

double fisher_z_p_value(double r, double degrees_of_freedom) {
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  if (std::abs(r) >= 1.0) r = std::copysign(1.0 - epsilon, r);
  const double z = 0.5 * std::log((1.0 + r) / (1.0 - r));
  return 2.0 * upper_tail(std::sqrt(std::max(degrees_of_freedom, 0.0)) * std::abs(z));
}

double fisher_z_p_value(double* correlation, std::size_t size, double n, std::vector<double>& solutions) {
  solutions.assign(size * 2, 0.0);
  solutions[0] = solutions[3] = 1.0;
  const double degrees_of_freedom = n - static_cast<double>(size - 2) - 3.0;
  if (degrees_of_freedom <= 0.0) return 1.0;
  if (!solve_two(correlation, solutions.data(), size)) return std::numeric_limits<double>::quiet_NaN();

  const double inverse_00 = solutions[0], inverse_01 = solutions[1], inverse_11 = solutions[3];
  return fisher_z_p_value(-inverse_01 / std::sqrt(std::abs(inverse_00 * inverse_11)), degrees_of_freedom);
}

FisherZ::FisherZ(SquareMatrix correlation, EffectiveRows rows, double alpha)
    : CiTest(correlation.size(), alpha),
      correlation_(std::move(correlation)),
      rows_(std::move(rows)),
      critical_z_(critical_value(alpha)) {}

void FisherZ::set_correlation(const SquareMatrix& correlation, EffectiveRows rows) {
  correlation_ = correlation;
  rows_ = std::move(rows);
  variables_ = correlation.size();
}

std::unique_ptr<Sweep> FisherZ::make_sweep() const { return std::make_unique<ConditioningSweep>(*this); }

double FisherZ::squared_threshold(std::size_t order, double rows) const {
  const double degrees_of_freedom = rows - static_cast<double>(order) - 3.0;
  if (degrees_of_freedom <= 0.0) return above_any_squared_correlation;
  const double threshold = std::tanh(critical_z_ / std::sqrt(degrees_of_freedom));
  return threshold * threshold;
}

double FisherZ::p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given, Scratch& scratch) const {
  auto& variables = scratch.variables;
  variables.assign({std::min(x, y), std::max(x, y)});
  variables.insert(variables.end(), given.begin(), given.end());
  std::sort(variables.begin() + 2, variables.end());

  const std::size_t size = variables.size();
  scratch.matrix.resize(size * size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) scratch.matrix[i * size + j] = correlation_(variables[i], variables[j]);
  return fisher_z_p_value(scratch.matrix.data(), size, rows_.of(x, y), scratch.solutions);
}

}  // namespace pyvalue
