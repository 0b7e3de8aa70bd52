#include "pyvalue/spearman_source.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <variant>

#include "pyvalue/gram.hpp"

namespace pyvalue {
namespace {

class SpearmanEstimator final : public CorrelationEstimator {
 public:
  SpearmanEstimator(const std::vector<LevelCodes>& columns, std::size_t rows)
      : columns_(columns), rows_(rows), gram_(columns.size()) {
    std::size_t levels = 0;
    for (const LevelCodes& column : columns) {
      first_level_.push_back(levels);
      levels += column.levels;
    }
    ranks_.resize(levels);
    packed_.resize(GramAccumulator::block_rows * gram_.padded_columns());
  }

  void estimate(const RowCount* counts, SquareMatrix& correlation, Monitor& monitor) override {
    const std::uint64_t total = std::accumulate(counts, counts + rows_, std::uint64_t{0});
    if (total > std::uint64_t{std::numeric_limits<std::int32_t>::max()})
      throw std::overflow_error("ranks are for at most 2^31 - 1 drawn rows");
    is_constant_.assign(columns_.size(), false);
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      monitor.tick();
      rank_levels(column, counts, static_cast<std::int64_t>(total));
    }
    add_drawn_rows(counts, monitor);

    all_columns_.resize(columns_.size());
    std::iota(all_columns_.begin(), all_columns_.end(), std::size_t{0});
    correlation_of(gram_, all_columns_, correlation);
    transform(correlation);
  }

 private:
  // The column's entries of ranks_ first count the rows of each level, then hold its centred rank, twice: mid-ranks and
  // their mean are halves. Whole numbers keep the sums of the Gram matrix exact (up to some 100,000 rows).
  void rank_levels(std::size_t column, const RowCount* counts, std::int64_t total) {
    std::int32_t* level = ranks_.data() + first_level_[column];
    std::fill_n(level, columns_[column].levels, 0);
    std::visit(
        [&](const auto& codes) {
          for (std::size_t row = 0; row < rows_; ++row) level[codes[row]] += counts[row];
        },
        columns_[column].codes);
    std::int64_t before = 0;
    std::size_t present = 0;
    for (std::size_t index = 0; index < columns_[column].levels; ++index) {
      const std::int64_t weight = level[index];
      level[index] = static_cast<std::int32_t>(2 * before + weight - total);
      before += weight;
      present += weight > 0;
    }
    is_constant_[column] = present < 2;
  }

  void add_drawn_rows(const RowCount* counts, Monitor& monitor) {
    constexpr std::size_t block = GramAccumulator::block_rows;
    std::array<std::size_t, block> drawn{};
    std::array<RowCount, block> weights{};
    gram_.clear();
    for (std::size_t row = 0; row < rows_;) {
      monitor.tick();
      std::size_t size = 0;
      for (; row < rows_ && size < block; ++row) {
        drawn[size] = row;
        weights[size] = counts[row];
        size += counts[row] != 0;
      }
      pack(drawn.data(), size);
      gram_.add_weighted(packed_.data(), size, weights.data());
    }
  }

  void pack(const std::size_t* drawn, std::size_t size) {
    const std::size_t width = gram_.padded_columns(), d = columns_.size();
    for (std::size_t column = 0; column < d; ++column) {
      const std::int32_t* rank = ranks_.data() + first_level_[column];
      double* target = packed_.data() + column;
      std::visit(
          [&](const auto& codes) {
            for (std::size_t index = 0; index < size; ++index) target[index * width] = rank[codes[drawn[index]]];
          },
          columns_[column].codes);
    }
    for (std::size_t index = 0; index < size; ++index) packed_[index * width + d] = 1.0;  // what lies behind stays 0
  }

  void transform(SquareMatrix& correlation) const {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const std::size_t d = correlation.size();
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const double rho = is_constant_[i] || is_constant_[j] ? nan : correlation(i, j);
        correlation(i, j) = correlation(j, i) = 2.0 * std::sin(std::numbers::pi / 6.0 * rho);
      }
      if (is_constant_[i]) correlation(i, i) = nan;
    }
  }

  const std::vector<LevelCodes>& columns_;
  std::size_t rows_;
  std::vector<std::size_t> first_level_;
  std::vector<std::int32_t> ranks_;
  std::vector<bool> is_constant_;
  std::vector<std::size_t> all_columns_;
  std::vector<double> packed_;
  GramAccumulator gram_;
};

}  // namespace

std::unique_ptr<CorrelationEstimator> SpearmanSource::make_estimator() const {
  return std::make_unique<SpearmanEstimator>(columns_, rows_);
}

}  // namespace pyvalue
