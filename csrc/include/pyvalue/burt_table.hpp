// The contingency tables of all pairs of categorical columns as one matrix, Burt's (1950).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// Codes of columns, numbered on from column to column: level l of column c is first(c) + l.
class CategoricalRows {
 public:
  // x holds codes 0 .. levels[column] - 1; throws std::invalid_argument for any other value.
  CategoricalRows(const Table& x, const std::vector<std::size_t>& levels, Monitor& monitor);

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return first_.size() - 1; }
  std::size_t first(std::size_t column) const { return first_[column]; }
  std::size_t levels(std::size_t column) const { return first_[column + 1] - first_[column]; }
  std::size_t all_levels() const { return first_.back(); }
  const std::uint16_t* row(std::size_t index) const { return codes_.data() + index * cols(); }

 private:
  std::size_t rows_;
  std::vector<std::size_t> first_;
  std::vector<std::uint16_t> codes_;  // (rows, cols) in row-major order
};

class BurtTable {
 public:
  // Counts rows, each counts[row] times, in one pass. data must be the same every time.
  void count(const CategoricalRows& data, const RowCount* counts, Monitor& monitor);

  // Of levels as numbered in the data, the column of a not before the column of b.
  std::uint32_t operator()(std::size_t a, std::size_t b) const { return cells_[a * width_ + b]; }

  // Of one level; all others of its column are zero in its row.
  std::uint32_t operator()(std::size_t level) const { return (*this)(level, level); }

 private:
  std::size_t width_ = 0;
  std::vector<std::uint32_t> cells_;  // blocks of a column with those before it
};

}  // namespace pyvalue
