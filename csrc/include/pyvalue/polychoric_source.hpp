// Fisher-z tests on polychoric correlations of ordinal columns.
#pragma once

#include <memory>
#include <vector>

#include "pyvalue/burt_table.hpp"
#include "pyvalue/correlation_source.hpp"

namespace pyvalue {

// Keeps the codes, not the table.
class PolychoricSource final : public CorrelationSource {
 public:
  // x holds codes 0 .. levels[column] - 1 in the order of the levels; std::invalid_argument if not.
  PolychoricSource(const Table& x, const std::vector<std::size_t>& levels, Monitor& monitor);

  std::size_t rows() const override { return data_.rows(); }
  std::size_t cols() const override { return data_.cols(); }

  // OrdinalMargin::information of every column on all rows; 1 for one that has no two levels.
  std::vector<double> information() const override { return information_; }

 protected:
  std::unique_ptr<CorrelationEstimator> make_estimator() const override;

 private:
  CategoricalRows data_;
  std::vector<double> information_;
};

}  // namespace pyvalue
