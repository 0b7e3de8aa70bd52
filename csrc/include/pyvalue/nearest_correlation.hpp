// The correlation matrix next to a symmetric matrix that is none.
#pragma once

#include "pyvalue/monitor.hpp"
#include "pyvalue/square.hpp"

namespace pyvalue {

// Whether all eigenvalues of a symmetric matrix are above the bound, give or take rounding.
bool has_eigenvalues_above(SquareMatrix matrix, double bound);

// Unit diagonal, no eigenvalue below smallest (>= 0, well below 1), and of all such matrices the nearest in Frobenius
// norm: alternating projections onto both sets with Dykstra's correction (Higham 2002, algorithm 3.3).
SquareMatrix nearest_correlation(const SquareMatrix& matrix, double smallest_eigenvalue, Monitor& monitor);

}  // namespace pyvalue
