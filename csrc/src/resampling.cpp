#include "pyvalue/resampling.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "pyvalue/random.hpp"

namespace pyvalue {
namespace {

// Streams of one replicate that must not share numbers.
enum Purpose : std::uint32_t { rows_or_first_clusters = 0, second_clusters = 1, column_order = 2 };

}  // namespace

Resampling::Resampling(std::size_t rows, Scheme scheme, std::uint64_t seed, std::optional<std::size_t> draws,
                       std::vector<Clusters> clusters)
    : rows_(rows), scheme_(scheme), seed_(seed), draws_(draws), clusters_(std::move(clusters)) {
  for (const Clusters& clustering : clusters_) {
    if (clustering.of_row.size() != rows) throw std::invalid_argument("clusters must have one entry a row");
    for (const std::uint32_t cluster : clustering.of_row)
      if (cluster >= clustering.count) throw std::invalid_argument("a cluster is outside 0 .. count - 1");
  }
  std::size_t units = rows;
  for (const Clusters& clustering : clusters_) units = std::min(units, clustering.count);
  if (draws_ && *draws_ > units) throw std::invalid_argument("draws must be at most the units that there are");
  if (clusters_.size() > 2) throw std::invalid_argument("at most two clusterings");
  if (clusters_.size() == 2 && scheme != Scheme::with_replacement)
    throw std::invalid_argument("two-way clusters are drawn with replacement");
}

void Resampling::draw(std::uint64_t replicate, RowCount* counts) const {
  if (clusters_.empty()) {
    draw_units(rows_, draws_.value_or(rows_), replicate, rows_or_first_clusters, counts);
    return;
  }
  std::vector<RowCount> units;
  for (std::size_t way = 0; way < clusters_.size(); ++way) {
    const Clusters& clusters = clusters_[way];
    units.resize(clusters.count);
    draw_units(clusters.count, draws_.value_or(clusters.count), replicate,
               way == 0 ? rows_or_first_clusters : second_clusters, units.data());
    for (std::size_t row = 0; row < rows_; ++row) {
      const std::uint32_t drawn = (way == 0 ? 1U : counts[row]) * std::uint32_t{units[clusters.of_row[row]]};
      if (drawn > std::numeric_limits<RowCount>::max()) throw std::overflow_error("a row is drawn more than 65535 times");
      counts[row] = static_cast<RowCount>(drawn);
    }
  }
}

void Resampling::draw_units(std::size_t units, std::size_t draws, std::uint64_t replicate, std::uint32_t purpose,
                            RowCount* counts) const {
  if (scheme_ != Scheme::with_replacement) {
    choose_units(units, draws_ ? draws : units / 2, replicate, counts);
    return;
  }
  std::fill(counts, counts + units, RowCount{0});
  Philox random(seed_, replicate, purpose);
  const auto bound = static_cast<std::uint32_t>(units);
  for (std::size_t left = draws; left > 0; --left) ++counts[random.below(bound)];
}

// Goes through the units once and takes each with probability (still wanted) / (still left).
void Resampling::choose_units(std::size_t units, std::size_t draws, std::uint64_t replicate, RowCount* counts) const {
  const bool pairs = scheme_ == Scheme::complementary_pairs;
  const bool second = pairs && replicate % 2 == 1;
  Philox random(seed_, pairs ? replicate / 2 : replicate, rows_or_first_clusters);
  std::size_t wanted[2] = {draws, pairs ? std::min(draws, units - draws) : 0};
  std::size_t left_for_second = units - draws;
  for (std::size_t unit = 0; unit < units; ++unit) {
    bool in_first = false, in_second = false;
    if (random.below(static_cast<std::uint32_t>(units - unit)) < wanted[0]) {
      in_first = true;
      --wanted[0];
    } else if (wanted[1] > 0) {
      in_second = random.below(static_cast<std::uint32_t>(left_for_second)) < wanted[1];
      --left_for_second;
      if (in_second) --wanted[1];
    }
    counts[unit] = (second ? in_second : in_first) ? 1 : 0;
  }
}

bool is_one_value(const Table& table, const RowCount* counts, std::size_t column) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (counts[row] == 0) continue;
    const double value = table(row, column);
    low = value < low ? value : low;
    high = value > high ? value : high;
    if (low < high) return false;
  }
  return true;
}

void shuffle_columns(std::uint64_t seed, std::uint64_t replicate, std::vector<std::size_t>& columns) {
  Philox random(seed, replicate, column_order);
  for (std::size_t left = columns.size(); left > 1; --left)
    std::swap(columns[left - 1], columns[random.below(static_cast<std::uint32_t>(left))]);
}

}  // namespace pyvalue
