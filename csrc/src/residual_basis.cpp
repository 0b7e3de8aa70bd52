#include "pyvalue/residual_basis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pyvalue {
namespace {

// Of a column's unit variance, what the ones before it must leave for it to be a direction of its own. Rounding leaves
// less than 1e-11 of a dependent column, and one row in 1e8 that sets two columns apart leaves more.
constexpr double dependent = 1e-10;

double dot(const double* a, const double* b, std::size_t size) {
  double sum = 0.0;
  for (std::size_t index = 0; index < size; ++index) sum += a[index] * b[index];
  return sum;
}

}  // namespace

void ConditioningFactor::shrink(std::size_t rank) {
  columns_.resize(rank);
  rows_.resize(rank * (rank + 1) / 2);
}

void ConditioningFactor::take(const SquareMatrix& correlation, std::size_t first, std::size_t last) {
  for (std::size_t column = first; column < last; ++column) {
    coordinates_.resize(rank() + 1);
    const double rest = project(correlation, column, coordinates_.data());
    if (!(rest > dependent)) continue;
    coordinates_.back() = std::sqrt(rest);
    rows_.insert(rows_.end(), coordinates_.begin(), coordinates_.end());
    columns_.push_back(column);
  }
}

double ConditioningFactor::project(const SquareMatrix& correlation, std::size_t column, double* coordinates) const {
  const double* with_column = correlation.row(column);
  const double* row = rows_.data();
  double rest = with_column[column];
  for (std::size_t k = 0; k < rank(); ++k) {
    coordinates[k] = (with_column[columns_[k]] - dot(row, coordinates, k)) / row[k];
    rest -= coordinates[k] * coordinates[k];
    row += k + 1;
  }
  return rest;
}

void ResidualBasis::find(const SquareMatrix& correlation, const ConditioningFactor& set, std::size_t first,
                         std::size_t last) {
  const std::size_t most = last - first, k = set.rank();
  rank = 0;
  columns.resize(most);
  given.resize(most * k);
  factor.resize(most * most);
  row_.resize(most);
  for (std::size_t column = first; column < last; ++column) {
    double* coordinates = given.data() + rank * k;
    double rest = set.project(correlation, column, coordinates);
    for (std::size_t i = 0; i < rank; ++i) {
      const double covariance = correlation(column, columns[i]) - dot(coordinates, given.data() + i * k, k);
      const double* factor_row = factor.data() + i * most;
      row_[i] = (covariance - dot(row_.data(), factor_row, i)) / factor_row[i];
      rest -= row_[i] * row_[i];
    }
    if (!(rest > dependent)) continue;
    row_[rank] = std::sqrt(rest);
    std::copy_n(row_.begin(), rank + 1, factor.begin() + static_cast<std::ptrdiff_t>(rank * most));
    columns[rank++] = column;
  }
  stride = most;
}

double WilksLambda::log(const SquareMatrix& correlation, std::size_t set_rank, const ResidualBasis& x,
                        const ResidualBasis& y) {
  // The smaller side's rows, so that the determinant is the smaller one.
  const ResidualBasis& small = x.rank <= y.rank ? x : y;
  const ResidualBasis& large = x.rank <= y.rank ? y : x;
  const std::size_t rows = small.rank, cols = large.rank;
  cross_.resize(rows * cols);
  for (std::size_t i = 0; i < rows; ++i) {
    const double* coordinates = small.given.data() + i * set_rank;
    double* target = cross_.data() + i * cols;
    for (std::size_t j = 0; j < cols; ++j)
      target[j] = correlation(small.columns[i], large.columns[j]) -
                  dot(coordinates, large.given.data() + j * set_rank, set_rank);
    for (std::size_t j = 0; j < cols; ++j) {
      const double* row = large.factor.data() + j * large.stride;
      target[j] = (target[j] - dot(row, target, j)) / row[j];
    }
    const double* row = small.factor.data() + i * small.stride;
    for (std::size_t before = 0; before < i; ++before)
      for (std::size_t j = 0; j < cols; ++j) target[j] -= row[before] * cross_[before * cols + j];
    for (std::size_t j = 0; j < cols; ++j) target[j] /= row[i];
  }

  // ln |1 - cross cross'| by Cholesky; a direction that the other side determines counts as the smallest rest there is.
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  double sum = 0.0;
  left_.resize(rows * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    double* row = left_.data() + i * rows;
    const double* cross = cross_.data() + i * cols;
    double explained = dot(cross, cross, cols);
    for (std::size_t j = 0; j < i; ++j) {
      const double* other = left_.data() + j * rows;
      row[j] = -dot(cross, cross_.data() + j * cols, cols) - dot(row, other, j);
      row[j] = other[j] > 0.0 ? row[j] / other[j] : 0.0;
      explained += row[j] * row[j];
    }
    const double rest = 1.0 - explained;
    row[i] = rest > epsilon ? std::sqrt(rest) : 0.0;
    sum += rest > epsilon ? std::log1p(-explained) : std::log(epsilon);
  }
  return sum;
}

}  // namespace pyvalue
