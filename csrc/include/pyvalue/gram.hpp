// Column summaries, (weighted) Gram matrices and correlations of a table.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "pyvalue/square.hpp"
#include "pyvalue/table.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"

namespace pyvalue {

// Per column; min and max pass over NaN.
struct ColumnSummary {
  std::vector<std::uint64_t> nan;
  std::vector<std::uint64_t> infinite;
  std::vector<double> min;
  std::vector<double> max;
  std::vector<double> sum_from_first;  // of the differences to the first row

  explicit ColumnSummary(std::size_t columns = 0)
      : nan(columns, 0),
        infinite(columns, 0),
        min(columns, std::numeric_limits<double>::infinity()),
        max(columns, -std::numeric_limits<double>::infinity()),
        sum_from_first(columns, 0.0) {}
};

ColumnSummary summarise_columns(const Table& table, Monitor& monitor);

// x -> (x - offset) * factor brings a column to mean zero and range one; a constant column has factor 0.
struct ColumnScaling {
  std::vector<double> offset;
  std::vector<double> factor;
};

ColumnScaling scale_columns(const Table& table, Monitor& monitor);

// Rows are packed in blocks that stay in the first-level cache, with a column of ones behind the data:
// the Gram matrix then holds the sums of the columns and the total weight too.
class GramAccumulator {
 public:
  static constexpr std::size_t block_rows = 64;

  explicit GramAccumulator(std::size_t columns);

  void clear();
  std::size_t padded_columns() const { return width_; }

  // packed is (rows, padded_columns()), rows <= block_rows, as PackedRows gives it.
  void add(const double* packed, std::size_t rows);
  void add_weighted(const double* packed, std::size_t rows, const RowCount* weights);

  // Sum of products; i and j in any order, ones() for the column of ones.
  double product(std::size_t i, std::size_t j) const {
    return sums_[std::max(i, j) * width_ + std::min(i, j)];
  }
  std::size_t ones() const { return ones_; }

  double total_weight() const { return sums_[ones_ * width_ + ones_]; }
  double mean(std::size_t column) const { return sums_[ones_ * width_ + column] / total_weight(); }
  // Centred sum of products; i and j in any order.
  double centred(std::size_t i, std::size_t j) const;

  void merge(const GramAccumulator& other);

 private:
  std::size_t ones_;
  std::size_t width_;
  std::vector<double> sums_;
  std::vector<double> weighted_rows_;
};

// Packs rows first .. first + count - 1 of the scaled table, (count, GramAccumulator::padded_columns()).
void pack_rows(const Table& table, const ColumnScaling& scaling, std::size_t first, std::size_t count,
               std::size_t width, double* packed);

// Correlations from the sums; columns holds the indices to use, in the order of the result.
void correlation_of(const GramAccumulator& gram, const std::vector<std::size_t>& columns, SquareMatrix& correlation);

// Whether the drawn rows of a table's column, the one at `at` in the sums, all hold one value. Its variance then comes
// out as rounding error of its squared mean; where it is that small, the rows themselves decide.
bool is_one_value(const GramAccumulator& gram, std::size_t at, const Table& table, const RowCount* counts,
                  std::size_t column);

// Pearson correlation of every pair of columns. Same bits for any number of threads.
SquareMatrix correlation(const Table& table, unsigned threads, Monitor& monitor);

}  // namespace pyvalue
