// Embedded variables as orthonormal directions given a set: Cholesky factors that leave out dependent columns.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pyvalue/square.hpp"

namespace pyvalue {

// The independent columns among those taken, and the triangular factor of their correlation.
class ConditioningFactor {
 public:
  std::size_t rank() const { return columns_.size(); }
  std::size_t column(std::size_t index) const { return columns_[index]; }

  void shrink(std::size_t rank);
  // Takes columns first .. last - 1, each if the ones before do not determine it.
  void take(const SquareMatrix& correlation, std::size_t first, std::size_t last);
  // The coordinates (rank,) of a column on the directions of the set; returns the square of its rest.
  double project(const SquareMatrix& correlation, std::size_t column, double* coordinates) const;

 private:
  std::vector<std::size_t> columns_;
  std::vector<double> rows_;  // row after row of a lower triangle
  std::vector<double> coordinates_;
};

// What the set leaves of one variable.
struct ResidualBasis {
  std::size_t rank = 0;
  std::size_t stride = 0;            // of the rows of factor
  std::vector<std::size_t> columns;  // (rank,) embedded columns that the set and the ones before do not determine
  std::vector<double> given;         // (rank, factor.rank()) their coordinates on the set
  std::vector<double> factor;        // (rank, stride) lower triangular, of their covariance given the set

  void find(const SquareMatrix& correlation, const ConditioningFactor& set, std::size_t first, std::size_t last);

 private:
  std::vector<double> row_;
};

// ln Wilks' Lambda of two variables given the set.
class WilksLambda {
 public:
  double log(const SquareMatrix& correlation, std::size_t set_rank, const ResidualBasis& x, const ResidualBasis& y);

 private:
  std::vector<double> cross_;  // (x.rank, y.rank) correlations of the directions
  std::vector<double> left_;   // 1 - cross cross'
};

}  // namespace pyvalue
