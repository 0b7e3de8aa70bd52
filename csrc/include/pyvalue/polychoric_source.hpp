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

  // Under independence the coefficient of a pair has variance 1 / (n R_x R_y), R the OrdinalMargin::information on all
  // rows. The test has one n for all pairs: the one that is right for the variance averaged over the pairs, that is
  // the harmonic mean of R_x R_y. Where columns keep very different R, pairs that keep less than it are rejected more
  // often than alpha says, and pairs that keep more less often.
  double efficiency() const override { return efficiency_; }

 protected:
  std::unique_ptr<CorrelationEstimator> make_estimator() const override;

 private:
  CategoricalRows data_;
  double efficiency_ = 1.0;
};

}  // namespace pyvalue
