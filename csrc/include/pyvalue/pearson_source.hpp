// Fisher-z tests on Pearson correlations.
#pragma once

#include <memory>

#include "pyvalue/gram.hpp"
#include "pyvalue/table.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

class PearsonSource final : public TestSource {
 public:
  PearsonSource(Table table, Monitor& monitor) : table_(std::move(table)), scaling_(scale_columns(table_, monitor)) {}

  std::size_t rows() const override { return table_.rows(); }
  std::size_t cols() const override { return table_.cols(); }
  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const override;

  // Each block of rows is packed once for all replicates of a batch.
  std::size_t batch() const override { return 16; }

 private:
  Table table_;
  ColumnScaling scaling_;
};

}  // namespace pyvalue
