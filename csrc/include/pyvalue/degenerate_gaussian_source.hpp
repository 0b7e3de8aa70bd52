// Degenerate Gaussian tests of continuous and categorical columns.
#pragma once

#include <memory>
#include <vector>

#include "pyvalue/indicator_embedding.hpp"
#include "pyvalue/table.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

class DegenerateGaussianSource final : public TestSource {
 public:
  // levels[column] is 0 for a continuous column, otherwise the column holds codes 0 .. levels[column] - 1.
  DegenerateGaussianSource(Table table, std::vector<std::size_t> levels, Monitor& monitor)
      : table_(std::move(table)), embedding_(table_, std::move(levels), monitor) {}

  std::size_t rows() const override { return table_.rows(); }
  std::size_t cols() const override { return table_.cols(); }
  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const override;

  // Each block of rows is packed once for all replicates of a batch.
  std::size_t batch() const override { return 16; }

 private:
  Table table_;
  IndicatorEmbedding embedding_;
};

}  // namespace pyvalue
