// Complete rows where few patterns of missing values occur: one Gram matrix a pattern, and a test adds up the patterns
// that hold all its variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "pyvalue/complete_sums.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// A scaled copy of the table with 0 for missing, its rows sorted by pattern.
class MissingPatterns {
 public:
  static constexpr std::size_t limit = 64;  // a set of patterns is the bits of one word

  // Nothing where there are more patterns than the limit, or where their Gram matrices would be too large.
  static std::optional<MissingPatterns> find(const Table& table, const ColumnScaling& scaling, Monitor& monitor);

  std::size_t columns() const { return presence_.size(); }
  std::size_t patterns() const { return first_row_.size() - 1; }
  std::size_t width() const { return width_; }

  // The patterns in which a column is present.
  std::uint64_t presence(std::size_t column) const { return presence_[column]; }

  // Sorted rows first_row(pattern) .. first_row(pattern + 1) - 1 have the pattern; order() holds their places in the
  // table.
  std::size_t first_row(std::size_t pattern) const { return first_row_[pattern]; }
  const std::vector<std::uint32_t>& order() const { return order_; }
  const double* packed(std::size_t sorted_row) const { return packed_.data() + sorted_row * width_; }

 private:
  MissingPatterns() = default;
  bool sort_rows(const Table& table, Monitor& monitor);
  void pack(const Table& table, const ColumnScaling& scaling, Monitor& monitor);

  std::size_t width_ = 0;
  std::vector<std::uint64_t> presence_;
  std::vector<std::size_t> first_row_;
  std::vector<std::uint32_t> order_;
  std::vector<double> packed_;  // (rows, width) as GramAccumulator takes them
};

// The Gram matrices of one replicate. Same sums in any order of asking.
class PatternGrams {
 public:
  explicit PatternGrams(const MissingPatterns& patterns);

  void load(const RowCount* counts, Monitor& monitor);
  std::unique_ptr<CompleteSummer> make_summer() const;

  const MissingPatterns& patterns() const { return patterns_; }
  const GramAccumulator& operator[](std::size_t pattern) const { return grams_[pattern]; }

 private:
  const MissingPatterns& patterns_;
  std::vector<GramAccumulator> grams_;
  std::vector<RowCount> sorted_counts_;
};

}  // namespace pyvalue
