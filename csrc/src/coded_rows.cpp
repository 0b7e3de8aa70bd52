#include "pyvalue/coded_rows.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "pyvalue/contingency_kernels.hpp"

namespace pyvalue {

CodedColumns::CodedColumns(const Table& table, std::vector<std::size_t> levels, Monitor& monitor)
    : rows_(table.rows()), levels_(std::move(levels)), codes_(rows_ * levels_.size()) {
  for (std::size_t column = 0; column < levels_.size(); ++column) {
    monitor.tick();
    const auto bound = static_cast<double>(levels_[column]);
    Code* target = codes_.data() + column * rows_;
    table.column(column).visit(0, rows_, [&](std::size_t row, double value) {
      const bool inside = value >= 0.0 && value < bound;  // false for NaN; out of range is no number to convert
      target[row] = inside ? static_cast<Code>(value) : Code{0};
      if (inside && static_cast<double>(target[row]) == value) return;
      InvalidCode fault;
      fault.row = row;
      fault.column = column;
      fault.levels = levels_[column];
      fault.value = value;
      throw fault;
    });
  }
}

void CodedRows::load(const RowCount* counts, Monitor& monitor) {
  const std::size_t total = std::accumulate(counts, counts + source_.rows(), std::size_t{0});
  // Kernels read counts as signed numbers of 32 bits.
  if (total > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw std::overflow_error("a sample of categorical columns holds at most 2147483647 rows");
  drawn_.clear();
  drawn_.reserve(total);
  for (std::size_t row = 0; row < source_.rows(); ++row)
    drawn_.insert(drawn_.end(), counts[row], static_cast<std::uint32_t>(row));

  words_ = (total + 63) / 64;
  words_ = (words_ + plane_padding - 1) / plane_padding * plane_padding;
  codes_.resize(source_.cols() * total);
  constant_.assign(source_.cols(), 1);
  first_plane_.resize(source_.cols());
  std::size_t planes = 0;
  for (std::size_t column = 0; column < source_.cols(); ++column) {
    first_plane_[column] = planes;
    if (levels(column) <= max_levels_of_planes) planes += levels(column);
  }
  planes_.assign(planes * words_, 0);
  every_row_.assign(words_, 0);
  for (std::size_t row = 0; row < total; ++row) every_row_[row / 64] |= std::uint64_t{1} << row % 64;

  for (std::size_t column = 0; column < source_.cols(); ++column) {
    monitor.tick();
    const Code* from = source_.codes(column);
    Code* to = codes_.data() + column * total;
    for (std::size_t row = 0; row < total; ++row) to[row] = from[drawn_[row]];
    constant_[column] = std::all_of(to, to + total, [to](Code code) { return code == to[0]; }) ? 1 : 0;
    if (levels(column) <= max_levels_of_planes) set_planes(column);
  }
}

void CodedRows::set_planes(std::size_t column) {
  const Code* code = codes(column);
  std::uint64_t* target = planes_.data() + first_plane_[column] * words_;
  for (std::size_t first = 0; first < rows(); first += 64) {
    std::uint64_t word[max_levels_of_planes] = {};
    const std::size_t count = std::min<std::size_t>(64, rows() - first);
    for (std::size_t row = 0; row < count; ++row) word[code[first + row]] |= std::uint64_t{1} << row;
    for (std::size_t level = 0; level < levels(column); ++level) target[level * words_ + first / 64] = word[level];
  }
}

}  // namespace pyvalue
