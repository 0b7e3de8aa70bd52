#include "pyvalue/symmetric_eigen.hpp"

#include <cmath>
#include <limits>

namespace pyvalue {
namespace {

double off_diagonal_squares(const SquareMatrix& matrix) {
  double sum = 0.0;
  for (std::size_t i = 0; i < matrix.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) sum += 2.0 * matrix(i, j) * matrix(i, j);
  return sum;
}

void rotate_rows(SquareMatrix& matrix, std::size_t p, std::size_t q, double cosine, double sine) {
  double* row_p = matrix.row(p);
  double* row_q = matrix.row(q);
  for (std::size_t k = 0; k < matrix.size(); ++k) {
    const double a = row_p[k], b = row_q[k];
    row_p[k] = cosine * a - sine * b;
    row_q[k] = sine * a + cosine * b;
  }
}

// Zeroes the entry (p, q). Of the two angles that do the smaller one, or the method need not converge (Forsythe &
// Henrici 1960).
void rotate(SquareMatrix& matrix, SquareMatrix& vectors, std::size_t p, std::size_t q) {
  const double difference = matrix(q, q) - matrix(p, p), entry = matrix(p, q);
  const double cotangent = difference / (2.0 * entry);  // of twice the angle
  const double tangent = std::copysign(1.0, cotangent) / (std::abs(cotangent) + std::hypot(1.0, cotangent));
  const double cosine = 1.0 / std::hypot(1.0, tangent), sine = tangent * cosine;
  const double p_value = matrix(p, p) - tangent * entry, q_value = matrix(q, q) + tangent * entry;
  rotate_rows(matrix, p, q, cosine, sine);
  for (std::size_t k = 0; k < matrix.size(); ++k) {
    matrix(k, p) = matrix(p, k);
    matrix(k, q) = matrix(q, k);
  }
  matrix(p, p) = p_value;
  matrix(q, q) = q_value;
  matrix(p, q) = matrix(q, p) = 0.0;
  rotate_rows(vectors, p, q, cosine, sine);
}

}  // namespace

SymmetricEigen symmetric_eigen(SquareMatrix matrix, Monitor& monitor) {
  constexpr int most_sweeps = 60;  // it converges quadratically; ten are many
  const std::size_t d = matrix.size();
  SquareMatrix vectors(d);
  double squares = off_diagonal_squares(matrix);
  for (std::size_t i = 0; i < d; ++i) {
    vectors(i, i) = 1.0;
    squares += matrix(i, i) * matrix(i, i);
  }
  const double negligible = std::numeric_limits<double>::epsilon() * std::sqrt(squares) / static_cast<double>(d + 1);
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    bool is_diagonal = true;
    for (std::size_t p = 0; p < d; ++p) {
      monitor.tick();
      for (std::size_t q = p + 1; q < d; ++q) {
        if (std::abs(matrix(p, q)) <= negligible) continue;
        is_diagonal = false;
        rotate(matrix, vectors, p, q);
      }
    }
    if (is_diagonal) break;
  }
  std::vector<double> values(d);
  for (std::size_t i = 0; i < d; ++i) values[i] = matrix(i, i);
  return {std::move(values), std::move(vectors)};
}

}  // namespace pyvalue
