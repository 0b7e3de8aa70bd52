#include "pyvalue/nearest_correlation.hpp"

#include <algorithm>
#include <cmath>

#include "pyvalue/symmetric_eigen.hpp"

namespace pyvalue {
namespace {

// Lifts the eigenvalues below the bound to it.
void lift_eigenvalues(SquareMatrix& matrix, double smallest, Monitor& monitor) {
  const std::size_t d = matrix.size();
  const SymmetricEigen eigen = symmetric_eigen(matrix, monitor);
  for (std::size_t k = 0; k < d; ++k) {
    const double lift = smallest - eigen.values[k];
    if (!(lift > 0.0)) continue;
    const double* vector = eigen.vectors.row(k);
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) matrix(i, j) += lift * vector[i] * vector[j];
  }
}

void scale_to_unit_diagonal(SquareMatrix& matrix) {
  const std::size_t d = matrix.size();
  std::vector<double> factor(d);
  for (std::size_t i = 0; i < d; ++i) factor[i] = 1.0 / std::sqrt(matrix(i, i));
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j)
      matrix(i, j) = matrix(j, i) = std::clamp(matrix(i, j) * factor[i] * factor[j], -1.0, 1.0);
    matrix(i, i) = 1.0;
  }
}

}  // namespace

// By Cholesky's factorisation of what is left without the bound.
bool has_eigenvalues_above(SquareMatrix matrix, double bound) {
  const std::size_t d = matrix.size();
  for (std::size_t k = 0; k < d; ++k) {
    double* row = matrix.row(k);
    for (std::size_t j = 0; j < k; ++j) {
      const double* other = matrix.row(j);
      double value = row[j];
      for (std::size_t i = 0; i < j; ++i) value -= row[i] * other[i];
      row[j] = value / other[j];
    }
    double pivot = row[k] - bound;
    for (std::size_t i = 0; i < k; ++i) pivot -= row[i] * row[i];
    if (!(pivot > 0.0)) return false;
    row[k] = std::sqrt(pivot);
  }
  return true;
}

SquareMatrix nearest_correlation(const SquareMatrix& matrix, double smallest_eigenvalue, Monitor& monitor) {
  constexpr int most_steps = 1000;
  constexpr double tolerance = 1e-9;  // per entry; estimates are no better than 1e-3
  const std::size_t d = matrix.size(), entries = d * d;
  SquareMatrix with_unit_diagonal = matrix, lifted(d), correction(d);
  for (int step = 0; step < most_steps; ++step) {
    SquareMatrix corrected = with_unit_diagonal;
    for (std::size_t index = 0; index < entries; ++index) corrected.data()[index] -= correction.data()[index];
    lifted = corrected;
    lift_eigenvalues(lifted, smallest_eigenvalue, monitor);
    double largest_change = 0.0;
    for (std::size_t index = 0; index < entries; ++index) {
      correction.data()[index] = lifted.data()[index] - corrected.data()[index];
      const bool is_diagonal = index % (d + 1) == 0;
      const double next = is_diagonal ? 1.0 : lifted.data()[index];
      largest_change = std::max({largest_change, std::abs(next - with_unit_diagonal.data()[index]),
                                 is_diagonal ? std::abs(lifted.data()[index] - 1.0) : 0.0});
      with_unit_diagonal.data()[index] = next;
    }
    if (largest_change <= tolerance) break;
  }
  // The last projection may have left the cone by a trifle; scaling stays inside it.
  scale_to_unit_diagonal(lifted);
  return lifted;
}

}  // namespace pyvalue
