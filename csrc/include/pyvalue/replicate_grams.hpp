// Gram matrices of several replicates at once: each block of rows is packed once for all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "pyvalue/gram.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/resampling.hpp"

namespace pyvalue {

class ReplicateGrams {
 public:
  explicit ReplicateGrams(std::size_t columns) : columns_(columns) {}

  // pack(first, count, width, packed) packs rows first .. first + count - 1 as GramAccumulator takes them.
  template <class Pack>
  void load(std::size_t rows, const std::vector<const RowCount*>& counts, Monitor& monitor, Pack pack) {
    constexpr std::size_t block = GramAccumulator::block_rows;
    counts_ = counts;
    while (grams_.size() < counts.size()) grams_.emplace_back(columns_);
    for (std::size_t index = 0; index < counts.size(); ++index) grams_[index].clear();
    const std::size_t width = grams_.front().padded_columns();
    packed_.resize(block * width);
    for (std::size_t row = 0; row < rows; row += block) {
      monitor.tick();
      const std::size_t count = std::min(block, rows - row);
      pack(row, count, width, packed_.data());
      for (std::size_t index = 0; index < counts.size(); ++index)
        grams_[index].add_weighted(packed_.data(), count, counts[index] + row);
    }
  }

  const GramAccumulator& operator[](std::size_t index) const { return grams_[index]; }
  const RowCount* counts(std::size_t index) const { return counts_[index]; }

 private:
  std::size_t columns_;
  std::vector<const RowCount*> counts_;
  std::vector<GramAccumulator> grams_;
  std::vector<double> packed_;
};

}  // namespace pyvalue
