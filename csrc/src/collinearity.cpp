#include "pyvalue/collinearity.hpp"

#include <cmath>

namespace pyvalue {
namespace {

// Solves L^T b = row for the leading `size` rows of the triangular factor: regression coefficients on those columns.
std::vector<double> solve_transposed(const SquareMatrix& factor, const double* row, std::size_t size) {
  std::vector<double> coefficients(row, row + size);
  for (std::size_t k = size; k-- > 0;) {
    coefficients[k] /= factor(k, k);
    for (std::size_t i = 0; i < k; ++i) coefficients[i] -= factor(k, i) * coefficients[k];
  }
  return coefficients;
}

}  // namespace

std::vector<Dependency> find_dependencies(const SquareMatrix& correlation, double tolerance) {
  constexpr double negligible_coefficient = 1e-4;
  const std::size_t d = correlation.size();
  std::vector<Dependency> found;
  std::vector<std::size_t> kept;
  SquareMatrix factor(d);  // Cholesky, a row per kept column
  std::vector<double> row(d);
  for (std::size_t column = 0; column < d; ++column) {
    double left = 1.0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      double value = correlation(column, kept[i]);
      for (std::size_t k = 0; k < i; ++k) value -= row[k] * factor(i, k);
      row[i] = value / factor(i, i);
      left -= row[i] * row[i];
    }
    if (left > tolerance) {
      const std::size_t at = kept.size();
      for (std::size_t i = 0; i < at; ++i) factor(at, i) = row[i];
      factor(at, at) = std::sqrt(left);
      kept.push_back(column);
      continue;
    }
    Dependency dependency{column, {}};
    const auto coefficients = solve_transposed(factor, row.data(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (std::abs(coefficients[i]) > negligible_coefficient) dependency.terms.emplace_back(kept[i], coefficients[i]);
    found.push_back(std::move(dependency));
  }
  return found;
}

}  // namespace pyvalue
