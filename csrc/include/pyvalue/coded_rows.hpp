// Categorical rows of one sample: a code per row and column, and a bit per row and level.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

using Code = std::uint16_t;
constexpr std::size_t max_levels = 65536;

struct InvalidCode : std::exception {
  std::size_t row = 0, column = 0, levels = 0;
  double value = 0.0;

  const char* what() const noexcept override { return "a code is outside 0 .. levels - 1"; }
};

// The columns of a table as codes 0 .. levels - 1, one column after the other.
class CodedColumns {
 public:
  // Throws InvalidCode where a value is no whole number below the column's levels.
  CodedColumns(const Table& table, std::vector<std::size_t> levels, Monitor& monitor);

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return levels_.size(); }
  const std::vector<std::size_t>& levels() const { return levels_; }
  const Code* codes(std::size_t column) const { return codes_.data() + column * rows_; }

 private:
  std::size_t rows_;
  std::vector<std::size_t> levels_;
  std::vector<Code> codes_;
};

// The drawn rows of a replicate, each as often as it was drawn.
class CodedRows {
 public:
  explicit CodedRows(const CodedColumns& source) : source_(source) {}

  void load(const RowCount* counts, Monitor& monitor);

  std::size_t rows() const { return drawn_.size(); }
  std::size_t levels(std::size_t column) const { return source_.levels()[column]; }
  const Code* codes(std::size_t column) const { return codes_.data() + column * rows(); }
  bool is_constant(std::size_t column) const { return constant_[column] != 0; }

  // Bit-planes of a column, one of words() words for every level; none (null) of a column with many levels. Bits
  // beyond the last row are 0, also in the plane of every row.
  static constexpr std::size_t max_levels_of_planes = 32;
  std::size_t words() const { return words_; }
  const std::uint64_t* every_row() const { return every_row_.data(); }
  const std::uint64_t* planes(std::size_t column) const {
    return levels(column) > max_levels_of_planes ? nullptr : planes_.data() + first_plane_[column] * words_;
  }

 private:
  void set_planes(std::size_t column);

  const CodedColumns& source_;
  std::vector<std::uint32_t> drawn_;
  std::vector<Code> codes_;
  std::vector<std::uint8_t> constant_;
  std::size_t words_ = 0;
  std::vector<std::size_t> first_plane_;
  std::vector<std::uint64_t> planes_;
  std::vector<std::uint64_t> every_row_;
};

}  // namespace pyvalue
