// Mixed columns as numbers: a categorical column becomes one indicator (0 or 1) a level that occurs, but for the most
// frequent level. Nothing of it is stored: rows are packed from the table.
#pragma once

#include <cstddef>
#include <vector>

#include "pyvalue/gram.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

class IndicatorEmbedding {
 public:
  // levels[column] is 0 for a continuous column, otherwise the values are codes 0 .. levels[column] - 1. Throws
  // std::invalid_argument for a value that is not finite and for a value that is no code.
  IndicatorEmbedding(const Table& table, std::vector<std::size_t> levels, Monitor& monitor);

  // Embedded columns, and those of one column: first(column) .. first(column + 1) - 1.
  std::size_t columns() const { return first_.back(); }
  std::size_t first(std::size_t column) const { return first_[column]; }
  bool is_categorical(std::size_t column) const { return levels_[column] > 0; }

  // As pyvalue::pack_rows.
  void pack_rows(const Table& table, std::size_t row, std::size_t count, std::size_t width, double* packed) const;

  // Whether the rows of a replicate hold one value of the column, given the sums of the embedded columns.
  bool is_constant(const GramAccumulator& gram, const Table& table, const RowCount* counts, std::size_t column) const;

 private:
  static constexpr std::size_t no_indicator = static_cast<std::size_t>(-1);

  void embed_levels(const Table& table, std::size_t column);

  std::vector<std::size_t> levels_;
  std::vector<std::size_t> first_;
  std::vector<std::vector<std::size_t>> indicator_;  // by column and code: the embedded column
  ColumnScaling scaling_;                            // of continuous columns
};

}  // namespace pyvalue
