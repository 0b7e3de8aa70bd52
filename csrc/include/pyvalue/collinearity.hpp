// Columns that are linear combinations of columns before them.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "pyvalue/square.hpp"

namespace pyvalue {

struct Dependency {
  std::size_t column;
  std::vector<std::pair<std::size_t, double>> terms;  // (earlier column, standardised coefficient)
};

// A column depends on the ones before it when they leave less than `tolerance` of its variance.
std::vector<Dependency> find_dependencies(const SquareMatrix& correlation, double tolerance);

}  // namespace pyvalue
