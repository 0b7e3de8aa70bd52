// Chi-squared and G-squared tests on categorical columns.
#pragma once

#include <memory>
#include <vector>

#include "pyvalue/coded_rows.hpp"
#include "pyvalue/discrete_statistic.hpp"
#include "pyvalue/table.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

// Statistics are scaled by effective rows over drawn rows, which makes up for the repeated rows of a replicate.
class DiscreteSource final : public TestSource {
 public:
  // Columns hold whole numbers from 0 to below the column's levels; throws InvalidCode otherwise.
  DiscreteSource(const Table& table, std::vector<std::size_t> levels, DiscreteStatistic::Kind kind, Monitor& monitor)
      : columns_(table, std::move(levels), monitor), kind_(kind) {}

  std::size_t rows() const override { return columns_.rows(); }
  std::size_t cols() const override { return columns_.cols(); }
  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const override;

 private:
  CodedColumns columns_;
  DiscreteStatistic::Kind kind_;
};

}  // namespace pyvalue
