#include "pyvalue/burt_table.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <string>

namespace pyvalue {

CategoricalRows::CategoricalRows(const Table& x, const std::vector<std::size_t>& levels, Monitor& monitor)
    : rows_(x.rows()), first_(1, 0), codes_(x.rows() * x.cols()) {
  if (levels.size() != x.cols()) throw std::invalid_argument("levels must have one entry a column");
  for (const std::size_t count : levels) first_.push_back(first_.back() + count);
  if (all_levels() > std::numeric_limits<std::uint16_t>::max())
    throw std::invalid_argument("columns must have at most 65535 levels in all");
  for (std::size_t column = 0; column < cols(); ++column) {
    monitor.tick();
    const auto count = static_cast<double>(levels[column]);
    std::uint16_t* target = codes_.data() + column;
    x.column(column).visit(0, rows_, [&](std::size_t row, double value) {
      if (!(value >= 0.0 && value < count) || value != static_cast<double>(static_cast<std::size_t>(value)))
        throw std::invalid_argument("column " + std::to_string(column) + ", row " + std::to_string(row) +
                                    ": codes must be whole numbers from 0 to levels - 1");
      target[row * cols()] = static_cast<std::uint16_t>(first_[column] + static_cast<std::size_t>(value));
    });
  }
}

void BurtTable::count(const CategoricalRows& data, const RowCount* counts, Monitor& monitor) {
  // Some rows at a time for one column after the other: however many columns, what is written to stays in the cache.
  constexpr std::size_t block = 256;
  std::array<const std::uint16_t*, block> drawn{};
  std::array<std::uint32_t, block> weights{};
  std::uint64_t total = 0;
  width_ = data.all_levels();
  cells_.assign(width_ * width_, 0);
  for (std::size_t row = 0; row < data.rows();) {
    std::size_t size = 0;
    for (; row < data.rows() && size < block; ++row) {
      drawn[size] = data.row(row);
      weights[size] = counts[row];
      total += counts[row];
      size += counts[row] != 0;
    }
    for (std::size_t column = 0; column < data.cols(); ++column) {
      monitor.tick();
      for (std::size_t index = 0; index < size; ++index) {
        const std::uint16_t* codes = drawn[index];
        std::uint32_t* cells = cells_.data() + codes[column] * width_;
        for (std::size_t other = 0; other <= column; ++other) cells[codes[other]] += weights[index];
      }
    }
  }
  if (total > std::numeric_limits<std::uint32_t>::max()) throw std::overflow_error("more than 2^32 - 1 drawn rows");
}

}  // namespace pyvalue
