#include "pyvalue/indicator_embedding.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace pyvalue {

IndicatorEmbedding::IndicatorEmbedding(const Table& table, std::vector<std::size_t> levels, Monitor& monitor)
    : levels_(std::move(levels)), first_{0}, indicator_(table.cols()), scaling_(scale_columns(table, monitor)) {
  if (levels_.size() != table.cols())
    throw std::invalid_argument("levels has " + std::to_string(levels_.size()) + " entries, but x has " +
                                std::to_string(table.cols()) + " columns");
  for (std::size_t column = 0; column < table.cols(); ++column) {
    monitor.tick();
    if (!std::isfinite(scaling_.offset[column]))
      throw std::invalid_argument("column " + std::to_string(column) + " holds a value that is not finite");
    if (is_categorical(column)) embed_levels(table, column);
    else first_.push_back(first_.back() + 1);
  }
}

// Without the most frequent level rather than any other: without a rare one the sum of the rest would be all but
// constant, and the rest all but dependent.
void IndicatorEmbedding::embed_levels(const Table& table, std::size_t column) {
  const std::size_t levels = levels_[column];
  std::vector<std::size_t> rows(levels, 0);
  table.column(column).visit(0, table.rows(), [&](std::size_t, double value) {
    if (!(value >= 0.0 && value < static_cast<double>(levels)) || value != std::floor(value))
      throw std::invalid_argument("column " + std::to_string(column) + " holds " + std::to_string(value) +
                                  ", which is no code of " + std::to_string(levels) + " levels");
    ++rows[static_cast<std::size_t>(value)];
  });
  const auto reference = static_cast<std::size_t>(std::max_element(rows.begin(), rows.end()) - rows.begin());
  std::size_t next = first_.back();
  indicator_[column].assign(levels, no_indicator);
  for (std::size_t level = 0; level < levels; ++level)
    if (level != reference && rows[level] > 0) indicator_[column][level] = next++;
  first_.push_back(next);
}

void IndicatorEmbedding::pack_rows(const Table& table, std::size_t row, std::size_t count, std::size_t width,
                                   double* packed) const {
  std::fill_n(packed, count * width, 0.0);
  for (std::size_t column = 0; column < table.cols(); ++column) {
    const auto& indicator = indicator_[column];
    const double offset = scaling_.offset[column], factor = scaling_.factor[column];
    const std::size_t at = first_[column];
    if (is_categorical(column)) {
      table.column(column).visit(row, count, [&](std::size_t index, double value) {
        const std::size_t embedded = indicator[static_cast<std::size_t>(value)];
        if (embedded != no_indicator) packed[index * width + embedded] = 1.0;
      });
    } else {
      table.column(column).visit(row, count, [&](std::size_t index, double value) {
        packed[index * width + at] = (value - offset) * factor;
      });
    }
  }
  for (std::size_t index = 0; index < count; ++index) packed[index * width + columns()] = 1.0;
}

bool IndicatorEmbedding::is_constant(const GramAccumulator& gram, const Table& table, const RowCount* counts,
                                     std::size_t column) const {
  if (!is_categorical(column)) return is_one_value(gram, first_[column], table, counts, column);
  double left = gram.total_weight();  // for the level without an indicator
  std::size_t drawn_levels = 0;
  for (std::size_t embedded = first_[column]; embedded < first_[column + 1]; ++embedded) {
    const double rows = gram.product(embedded, gram.ones());
    left -= rows;
    if (rows > 0.0) ++drawn_levels;
  }
  return drawn_levels + (left > 0.0 ? 1 : 0) < 2;
}

}  // namespace pyvalue
