// What a test with test-wise deletion needs of the data: sums over the rows in which all its variables are present.
#pragma once

#include <cstddef>
#include <span>

#include "pyvalue/gram.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// Sums of products of 1, x, given..., y in this order: the lower triangle, row by row. The sums with y come last.
struct CompleteSums {
  static constexpr std::size_t at(std::size_t i, std::size_t j) { return i * (i + 1) / 2 + j; }  // i >= j
  static constexpr std::size_t without_y(std::size_t given) { return at(given + 2, 0); }
  static constexpr std::size_t size(std::size_t given) { return at(given + 3, 0); }
};

// One thread's way to the sums of one replicate, in scaled columns. Holds scratch memory.
class CompleteSummer {
 public:
  virtual ~CompleteSummer() = default;

  // All variables are columns of the table. sums is (ys, CompleteSums::size(given.size())).
  virtual void sum(std::size_t x, std::span<const std::size_t> given, std::span<const std::size_t> ys,
                   double* sums) = 0;
};

// scale_columns over the values that are present (not NaN). Throws std::invalid_argument for an infinite value.
ColumnScaling scale_present(const Table& table, Monitor& monitor);

}  // namespace pyvalue
