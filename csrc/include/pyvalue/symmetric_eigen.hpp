// Eigenvalues and eigenvectors of a symmetric matrix.
#pragma once

#include <vector>

#include "pyvalue/monitor.hpp"
#include "pyvalue/square.hpp"

namespace pyvalue {

// matrix = sum over k of values[k] vectors.row(k)' vectors.row(k), in no particular order.
struct SymmetricEigen {
  std::vector<double> values;
  SquareMatrix vectors;
};

// Jacobi's method: rotations that zero one entry after the other, until all are rounding error.
SymmetricEigen symmetric_eigen(SquareMatrix matrix, Monitor& monitor);

}  // namespace pyvalue
