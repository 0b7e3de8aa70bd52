// Complete rows where many patterns of missing values occur: every test goes through the rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pyvalue/complete_sums.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// A scaled copy of the table, column after column, NaN where a value is missing; and a bit a value.
class PresentColumns {
 public:
  static constexpr std::size_t block_rows = 64;  // the bits of one word

  PresentColumns(const Table& table, const ColumnScaling& scaling, Monitor& monitor);

  std::size_t rows() const { return rows_; }
  std::size_t blocks() const { return blocks_; }
  const double* values(std::size_t column, std::size_t block) const {
    return values_.data() + column * rows_ + block * block_rows;
  }
  std::uint64_t presence(std::size_t column, std::size_t block) const { return presence_[column * blocks_ + block]; }

 private:
  std::size_t rows_;
  std::size_t blocks_;
  std::vector<double> values_;
  std::vector<std::uint64_t> presence_;
};

// The rows of one replicate.
class CompleteRows {
 public:
  explicit CompleteRows(const PresentColumns& columns) : columns_(columns), drawn_(columns.blocks()) {}

  // counts must stay as long as the replicate is asked of.
  void load(const RowCount* counts);
  std::unique_ptr<CompleteSummer> make_summer() const;

  const PresentColumns& columns() const { return columns_; }
  const RowCount* counts(std::size_t block) const { return counts_ + block * PresentColumns::block_rows; }
  std::uint64_t drawn(std::size_t block) const { return drawn_[block]; }

 private:
  const PresentColumns& columns_;
  const RowCount* counts_ = nullptr;
  std::vector<std::uint64_t> drawn_;  // a bit a row that counts
};

}  // namespace pyvalue
