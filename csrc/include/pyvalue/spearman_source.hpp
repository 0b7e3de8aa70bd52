// Fisher-z tests on rank correlations.
#pragma once

#include <memory>
#include <numbers>
#include <vector>

#include "pyvalue/correlation_source.hpp"
#include "pyvalue/level_codes.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// Spearman's rank correlation rho with mid-ranks for ties, as 2 sin(pi rho / 6): the Pearson correlation of normal
// variables of which the columns are any increasing functions (Liu et al. 2012; PC on it: Harris & Drton 2013).
// Ranks are those of the drawn rows. Keeps the ranks of the distinct values only, not the table.
class SpearmanSource final : public CorrelationSource {
 public:
  SpearmanSource(const Table& table, Monitor& monitor) : rows_(table.rows()), columns_(level_codes(table, monitor)) {}

  std::size_t rows() const override { return rows_; }
  std::size_t cols() const override { return columns_.size(); }

  // Under independence rho has variance 1 / (n - 1) whatever the ties, and the slope of 2 sin(pi rho / 6) at 0 is
  // pi / 3. The square of 3 / pi is the asymptotic relative efficiency of Spearman's test on normal data.
  std::vector<double> information() const override { return std::vector<double>(cols(), 3.0 / std::numbers::pi); }

 protected:
  std::unique_ptr<CorrelationEstimator> make_estimator() const override;

 private:
  std::size_t rows_;
  std::vector<LevelCodes> columns_;
};

}  // namespace pyvalue
