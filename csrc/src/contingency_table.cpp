#include "pyvalue/contingency_table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pyvalue {
namespace {

// Measured at 10,000 rows.
constexpr double nanoseconds_per_row = 0.33;

// A row that is sorted costs about as much as 16 cells of a table; tables beyond 16 MiB would burden memory.
constexpr std::size_t cells_per_row = 16;
constexpr std::size_t cells_of_a_small_table = 1024;
constexpr std::size_t cells_of_any_table = std::size_t{1} << 22;

std::size_t most_cells(std::size_t rows) {
  return std::min(cells_of_any_table, cells_of_a_small_table + cells_per_row * rows);
}

double nanoseconds_of_planes(const ContingencyKernels& kernels, std::size_t words, double x_levels, double calls) {
  return calls * (kernels.nanoseconds_per_call + static_cast<double>(words) * x_levels * kernels.nanoseconds_per_word);
}

}  // namespace

void ContingencyTable::set_base(const CodedRows& rows, std::size_t x, std::span<const std::size_t> base) {
  rows_ = &rows;
  x_ = x;
  base_ = base;
  x_stride_ = pad_counts(rows.levels(x));
  small_cell_of_row_.clear();
  cell_of_row_.clear();
  base_planes_.clear();
  base_counts_.clear();
  axes_.assign(base.size() + 1, 1);
  base_cells_ = 1;
  for (std::size_t index = 0; index < base.size(); ++index) {
    axes_[index + 1] = rows.levels(base[index]);
    base_cells_ *= axes_[index + 1];
    if (base_cells_ * x_stride_ > most_cells(rows.rows())) base_cells_ = 0;  // and stays so
  }
}

bool ContingencyTable::is_too_large_with(std::size_t variable) const {
  return base_cells_ == 0 || base_cells_ * x_stride_ * rows_->levels(variable) > most_cells(rows_->rows());
}

void ContingencyTable::count_with(std::size_t variable, std::optional<CountingRoute> route) {
  axes_[0] = rows_->levels(variable);
  counts_.assign(axes_[0] * base_cells_ * x_stride_, 0);
  if (!route) route = planes_are_faster(variable) ? CountingRoute::planes : CountingRoute::rows;
  *route == CountingRoute::planes ? count_planes(variable) : count_rows(variable);
  sum_over_x();
}

StrataView ContingencyTable::strata(std::size_t axis) const {
  const auto product = [](auto first, auto last) {
    return std::accumulate(first, last, std::size_t{1}, std::multiplies<>());
  };
  const auto at = axes_.begin() + static_cast<std::ptrdiff_t>(axis);
  return {counts_.data(), totals_.data(), inverses_.data(), product(axes_.begin(), at), *at,
          product(at + 1, axes_.end()), x_stride_};
}

double ContingencyTable::nanoseconds(const ContingencyKernels& kernels, std::size_t rows, double levels,
                                     std::size_t others) {
  const double by_rows = static_cast<double>(rows) * nanoseconds_per_row;
  return std::min(by_rows, nanoseconds_of_planes(kernels, rows / 64, levels, std::pow(levels, others) - 1.0));
}

bool ContingencyTable::planes_are_faster(std::size_t variable) const {
  if (rows_->planes(x_) == nullptr || rows_->planes(variable) == nullptr) return false;
  for (const std::size_t member : base_)
    if (rows_->planes(member) == nullptr) return false;
  // The last level of the variable needs no call, but the base needs some for the first of its tables.
  const double calls = static_cast<double>(base_cells_) * (static_cast<double>(axes_[0]) - 0.5);
  return nanoseconds_of_planes(kernels_, rows_->words(), static_cast<double>(rows_->levels(x_)), calls) <
         static_cast<double>(rows_->rows()) * nanoseconds_per_row;
}

void ContingencyTable::count_rows(std::size_t variable) {
  // Half as wide numbers are summed twice as fast.
  if (counts_.size() <= std::size_t{1} << 16) count_cells(variable, small_cell_of_row_);
  else count_cells(variable, cell_of_row_);
}

template <class Cell>
void ContingencyTable::count_cells(std::size_t variable, std::vector<Cell>& cell_of_row) {
  const std::size_t rows = rows_->rows();
  const auto add = [](const Cell* before, const Code* codes, std::size_t stride, Cell* after, std::size_t count) {
    const auto step = static_cast<Cell>(stride);
    for (std::size_t row = 0; row < count; ++row)
      after[row] = static_cast<Cell>(before[row] + static_cast<Cell>(codes[row]) * step);
  };
  if (cell_of_row.empty()) {
    const Code* x = rows_->codes(x_);
    cell_of_row.assign(x, x + rows);
    std::size_t stride = x_stride_;
    for (std::size_t index = base_.size(); index-- > 0;) {
      add(cell_of_row.data(), rows_->codes(base_[index]), stride, cell_of_row.data(), rows);
      stride *= axes_[index + 1];
    }
  }
  constexpr std::size_t block = 512;
  Cell cells[block];
  const Code* codes = rows_->codes(variable);
  std::uint32_t* counts = counts_.data();
  for (std::size_t first = 0; first < rows; first += block) {
    const std::size_t count = std::min(block, rows - first);
    add(cell_of_row.data() + first, codes + first, base_cells_ * x_stride_, cells, count);
    for (std::size_t row = 0; row < count; ++row) ++counts[cells[row]];
  }
}

// One plane for every cell of the base, the first member's level slowest.
const std::uint64_t* ContingencyTable::base_planes() {
  if (base_.empty()) return rows_->every_row();
  if (base_.size() == 1) return rows_->planes(base_[0]);
  if (base_planes_.empty()) split_base_planes();
  return base_planes_.data();
}

void ContingencyTable::split_base_planes() {
  const std::size_t words = rows_->words();
  base_planes_.resize(base_cells_ * words);
  std::copy_n(rows_->planes(base_[0]), axes_[1] * words, base_planes_.data());
  std::size_t cells = axes_[1];
  for (std::size_t index = 1; index < base_.size(); ++index) {
    const std::size_t levels = axes_[index + 1];
    const std::uint64_t* split = rows_->planes(base_[index]);
    // From the last to the first, since the parts of a plane take the place of later planes, the first of itself.
    for (std::size_t part = cells * levels; part-- > 0;) {
      const std::uint64_t* whole = base_planes_.data() + part / levels * words;
      const std::uint64_t* level = split + part % levels * words;
      std::uint64_t* target = base_planes_.data() + part * words;
      for (std::size_t word = 0; word < words; ++word) target[word] = whole[word] & level[word];
    }
    cells *= levels;
  }
}

// The last level of the variable is what the others leave of the base.
void ContingencyTable::count_planes(std::size_t variable) {
  const std::size_t words = rows_->words(), size = base_cells_ * x_stride_;
  const std::uint64_t* base = base_planes();
  PlaneCounts task{base, base, rows_->planes(x_), rows_->levels(x_), words, nullptr};
  if (base_counts_.empty()) {
    base_counts_.assign(size, 0);
    task.counts = base_counts_.data();
    for (std::size_t cell = 0; cell < base_cells_; ++cell, task.counts += x_stride_) {
      task.first = task.second = base + cell * words;
      kernels_.count_planes(task);
    }
  }
  task.counts = counts_.data();
  std::uint32_t* last = counts_.data() + (axes_[0] - 1) * size;
  std::copy(base_counts_.begin(), base_counts_.end(), last);
  for (std::size_t level = 0; level + 1 < axes_[0]; ++level) {
    task.second = rows_->planes(variable) + level * words;
    for (std::size_t cell = 0; cell < base_cells_; ++cell, task.counts += x_stride_) {
      task.first = base + cell * words;
      kernels_.count_planes(task);
    }
    const std::uint32_t* counted = counts_.data() + level * size;
    for (std::size_t index = 0; index < size; ++index) last[index] -= counted[index];
  }
}

void ContingencyTable::sum_over_x() {
  const std::size_t cells = axes_[0] * base_cells_;
  totals_.resize(cells);
  inverses_.resize(cells);
  const std::uint32_t* counts = counts_.data();
  for (std::size_t cell = 0; cell < cells; ++cell, counts += x_stride_) {
    const std::uint32_t total = std::accumulate(counts, counts + x_stride_, std::uint32_t{0});
    totals_[cell] = static_cast<double>(total);
    inverses_[cell] = total == 0 ? 0.0 : 1.0 / totals_[cell];
  }
}

}  // namespace pyvalue
