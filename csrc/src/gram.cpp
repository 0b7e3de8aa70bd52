#include "pyvalue/gram.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "pyvalue/parallel.hpp"
#include "pyvalue/simd.hpp"

namespace pyvalue {
namespace {

std::size_t round_up(std::size_t value, std::size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

void copy_block(const Table& table, std::size_t first, std::size_t rows, double* copy) {
  const std::size_t d = table.cols();
  for (std::size_t column = 0; column < d; ++column)
    table.column(column).visit(first, rows, [&](std::size_t row, double value) { copy[row * d + column] = value; });
}

void count_not_finite(const Table& table, std::size_t column, ColumnSummary& summary) {
  table.column(column).visit(0, table.rows(), [&](std::size_t, double value) {
    if (std::isnan(value)) ++summary.nan[column];
    if (std::isinf(value)) ++summary.infinite[column];
  });
}

GramAccumulator gram_of_rows(const Table& table, const ColumnScaling& scaling, std::size_t first,
                             std::size_t last, Monitor& monitor) {
  GramAccumulator gram(table.cols());
  std::vector<double> packed(GramAccumulator::block_rows * gram.padded_columns());
  for (std::size_t row = first; row < last; row += GramAccumulator::block_rows) {
    monitor.tick();
    const std::size_t count = std::min(GramAccumulator::block_rows, last - row);
    pack_rows(table, scaling, row, count, gram.padded_columns(), packed.data());
    gram.add(packed.data(), count);
  }
  return gram;
}

}  // namespace

ColumnSummary summarise_columns(const Table& table, Monitor& monitor) {
  constexpr std::size_t block = GramAccumulator::block_rows;
  const std::size_t d = table.cols();
  ColumnSummary summary(d);
  std::vector<double> first_row(d), copy(table.row_major() ? 0 : block * d);
  std::vector<LaneMask> not_finite(d, 0);
  for (std::size_t column = 0; column < d && table.rows() > 0; ++column) first_row[column] = table(0, column);
  const ColumnFigures figures{first_row.data(), summary.min.data(), summary.max.data(), summary.sum_from_first.data(),
                              not_finite.data()};
  for (std::size_t row = 0; row < table.rows(); row += block) {
    monitor.tick();
    const std::size_t rows = std::min(block, table.rows() - row);
    if (table.row_major()) {
      const double* source = table.row_major() + static_cast<std::ptrdiff_t>(row) * table.row_stride();
      simd_kernels().summarise_rows(source, table.row_stride(), rows, d, figures);
    } else {
      copy_block(table, row, rows, copy.data());
      simd_kernels().summarise_rows(copy.data(), static_cast<std::ptrdiff_t>(d), rows, d, figures);
    }
  }
  for (std::size_t column = 0; column < d; ++column)
    if (not_finite[column] != 0) count_not_finite(table, column, summary);
  return summary;
}

ColumnScaling scale_columns(const Table& table, Monitor& monitor) {
  const std::size_t d = table.cols();
  const ColumnSummary summary = summarise_columns(table, monitor);
  ColumnScaling scaling{std::vector<double>(d, 0.0), std::vector<double>(d, 0.0)};
  for (std::size_t column = 0; column < d && table.rows() > 0; ++column) {
    const double range = summary.max[column] - summary.min[column];
    if (range > 0.0) scaling.factor[column] = 1.0 / range;
    scaling.offset[column] = table(0, column) + summary.sum_from_first[column] / static_cast<double>(table.rows());
  }
  return scaling;
}

GramAccumulator::GramAccumulator(std::size_t columns)
    : ones_(columns),
      width_(pad_to_lanes(columns + 1)),
      sums_(width_ * width_, 0.0),
      weighted_rows_(block_rows * width_) {}

void GramAccumulator::clear() { std::fill(sums_.begin(), sums_.end(), 0.0); }

void GramAccumulator::add(const double* packed, std::size_t rows) {
  std::array<const double*, block_rows> list{};
  for (std::size_t row = 0; row < rows; ++row) list[row] = packed + row * width_;
  simd_kernels().accumulate_products(list.data(), list.data(), rows, sums_.data(), width_);
}

void GramAccumulator::add_weighted(const double* packed, std::size_t rows, const RowCount* weights) {
  std::array<const double*, block_rows> plain{}, weighted{};
  std::size_t drawn = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    if (weights[row] == 0) continue;
    const double weight = weights[row];
    const double* source = packed + row * width_;
    double* target = weighted_rows_.data() + drawn * width_;
    for (std::size_t column = 0; column < width_; ++column) target[column] = weight * source[column];
    plain[drawn] = source;
    weighted[drawn] = weight == 1.0 ? source : target;
    ++drawn;
  }
  simd_kernels().accumulate_products(weighted.data(), plain.data(), drawn, sums_.data(), width_);
}

double GramAccumulator::centred(std::size_t i, std::size_t j) const {
  const std::size_t high = std::max(i, j), low = std::min(i, j);
  const double* sums_of_columns = sums_.data() + ones_ * width_;
  return sums_[high * width_ + low] - sums_of_columns[high] * sums_of_columns[low] / total_weight();
}

void GramAccumulator::merge(const GramAccumulator& other) {
  for (std::size_t index = 0; index < sums_.size(); ++index) sums_[index] += other.sums_[index];
}

void pack_rows(const Table& table, const ColumnScaling& scaling, std::size_t first, std::size_t count,
               std::size_t width, double* packed) {
  for (std::size_t column = 0; column < table.cols(); ++column) {
    const double offset = scaling.offset[column], factor = scaling.factor[column];
    table.column(column).visit(first, count, [&](std::size_t row, double value) {
      packed[row * width + column] = (value - offset) * factor;
    });
  }
  for (std::size_t row = 0; row < count; ++row) {
    packed[row * width + table.cols()] = 1.0;
    std::fill(packed + row * width + table.cols() + 1, packed + (row + 1) * width, 0.0);
  }
}

void correlation_of(const GramAccumulator& gram, const std::vector<std::size_t>& columns, SquareMatrix& correlation) {
  const std::size_t d = columns.size();
  correlation.reset(d);
  for (std::size_t i = 0; i < d; ++i) correlation(i, i) = 1.0 / std::sqrt(gram.centred(columns[i], columns[i]));
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double r = gram.centred(columns[i], columns[j]) * correlation(i, i) * correlation(j, j);
      correlation(i, j) = correlation(j, i) = std::clamp(r, -1.0, 1.0);
    }
  }
  for (std::size_t i = 0; i < d; ++i) correlation(i, i) = 1.0;
}

bool is_one_value(const GramAccumulator& gram, std::size_t at, const Table& table, const RowCount* counts,
                  std::size_t column) {
  constexpr double suspicious = 1e-10;
  const double variance = gram.centred(at, at) / gram.total_weight(), mean = gram.mean(at);
  return !(variance > suspicious * mean * mean) && is_one_value(table, counts, column);
}

SquareMatrix correlation(const Table& table, unsigned threads, Monitor& monitor) {
  const ColumnScaling scaling = scale_columns(table, monitor);
  // The partition depends on the table alone: the same sums, in the same order, for any number of threads.
  constexpr double products_worth_a_thread = 1e7;
  const double products = static_cast<double>(table.rows()) * static_cast<double>(table.cols() * table.cols());
  const std::size_t parts = products < products_worth_a_thread ? 1 : 16;
  const std::size_t part_rows = round_up((table.rows() + parts - 1) / parts, GramAccumulator::block_rows);
  std::vector<GramAccumulator> grams(parts, GramAccumulator(table.cols()));
  parallel_for(parts, threads, monitor, [&](std::size_t part, unsigned) {
    const std::size_t first = std::min(table.rows(), part * part_rows);
    grams[part] = gram_of_rows(table, scaling, first, std::min(table.rows(), first + part_rows), monitor);
  });
  for (std::size_t part = 1; part < parts; ++part) grams[0].merge(grams[part]);

  std::vector<std::size_t> columns(table.cols());
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  SquareMatrix result;
  correlation_of(grams[0], columns, result);
  return result;
}

}  // namespace pyvalue
