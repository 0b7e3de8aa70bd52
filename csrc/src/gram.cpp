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

GramAccumulator gram_of_rows(const MatrixView& table, const ColumnScaling& scaling, std::size_t first,
                             std::size_t last, Monitor& monitor) {
  GramAccumulator gram(table.cols);
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

ColumnSummary summarise_columns(const MatrixView& table, Monitor& monitor) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::size_t d = table.cols;
  ColumnSummary summary{std::vector<std::uint64_t>(d, 0), std::vector<std::uint64_t>(d, 0),
                        std::vector<double>(d, infinity), std::vector<double>(d, -infinity)};
  for (std::size_t row = 0; row < table.rows; ++row) {
    if (row % GramAccumulator::block_rows == 0) monitor.tick();
    for (std::size_t column = 0; column < d; ++column) {
      const double value = table(row, column);
      if (std::isfinite(value)) {
        summary.min[column] = std::min(summary.min[column], value);
        summary.max[column] = std::max(summary.max[column], value);
      } else {
        ++(std::isnan(value) ? summary.nan : summary.infinite)[column];
      }
    }
  }
  return summary;
}

ColumnScaling scale_columns(const MatrixView& table, Monitor& monitor) {
  const std::size_t d = table.cols;
  const ColumnSummary summary = summarise_columns(table, monitor);
  ColumnScaling scaling{std::vector<double>(d, 0.0), std::vector<double>(d, 0.0)};
  for (std::size_t column = 0; column < d; ++column) {
    const double range = summary.max[column] - summary.min[column];
    if (range > 0.0) scaling.factor[column] = 1.0 / range;
    scaling.offset[column] = summary.min[column];
  }
  std::vector<double> block(d), total(d, 0.0);
  for (std::size_t first = 0; first < table.rows; first += GramAccumulator::block_rows) {
    monitor.tick();
    std::fill(block.begin(), block.end(), 0.0);
    const std::size_t last = std::min(table.rows, first + GramAccumulator::block_rows);
    for (std::size_t row = first; row < last; ++row)
      for (std::size_t column = 0; column < d; ++column) block[column] += table(row, column) - scaling.offset[column];
    for (std::size_t column = 0; column < d; ++column) total[column] += block[column];
  }
  for (std::size_t column = 0; column < d; ++column)
    scaling.offset[column] += total[column] / static_cast<double>(table.rows);
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

void pack_rows(const MatrixView& table, const ColumnScaling& scaling, std::size_t first, std::size_t count,
               std::size_t width, double* packed) {
  for (std::size_t column = 0; column < table.cols; ++column) {
    const double offset = scaling.offset[column], factor = scaling.factor[column];
    for (std::size_t row = 0; row < count; ++row)
      packed[row * width + column] = (table(first + row, column) - offset) * factor;
  }
  for (std::size_t row = 0; row < count; ++row) {
    packed[row * width + table.cols] = 1.0;
    std::fill(packed + row * width + table.cols + 1, packed + (row + 1) * width, 0.0);
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

SquareMatrix correlation(const MatrixView& table, unsigned threads, Monitor& monitor) {
  const ColumnScaling scaling = scale_columns(table, monitor);
  // The partition depends on the table alone: the same sums, in the same order, for any number of threads.
  constexpr double products_worth_a_thread = 1e7;
  const double products = static_cast<double>(table.rows) * static_cast<double>(table.cols * table.cols);
  const std::size_t parts = products < products_worth_a_thread ? 1 : 16;
  const std::size_t part_rows = round_up((table.rows + parts - 1) / parts, GramAccumulator::block_rows);
  std::vector<GramAccumulator> grams(parts, GramAccumulator(table.cols));
  parallel_for(parts, threads, monitor, [&](std::size_t part, unsigned) {
    const std::size_t first = std::min(table.rows, part * part_rows);
    grams[part] = gram_of_rows(table, scaling, first, std::min(table.rows, first + part_rows), monitor);
  });
  for (std::size_t part = 1; part < parts; ++part) grams[0].merge(grams[part]);

  std::vector<std::size_t> columns(table.cols);
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  SquareMatrix result;
  correlation_of(grams[0], columns, result);
  return result;
}

}  // namespace pyvalue
