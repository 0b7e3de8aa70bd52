#include "pyvalue/polychoric_source.hpp"

#include <limits>

#include "pyvalue/polychoric.hpp"

namespace pyvalue {
namespace {

// A column without the levels that are not drawn.
struct DrawnColumn {
  std::vector<std::size_t> levels;  // as numbered in the data
  OrdinalMargin margin;
};

DrawnColumn drawn_column(const CategoricalRows& data, const BurtTable& burt, std::size_t column) {
  DrawnColumn drawn;
  std::vector<double> counts;
  for (std::size_t level = data.first(column); level < data.first(column + 1); ++level) {
    if (burt(level) == 0) continue;
    drawn.levels.push_back(level);
    counts.push_back(burt(level));
  }
  if (counts.size() > 1) drawn.margin = OrdinalMargin(counts);
  return drawn;
}

// An empty cell of a 2 x 2 table puts the maximum at +-1, which says no more than that its count was below 1. With half
// a row in it, and the margins as they are, it does not (Brown & Benedetti 1977).
void fill_empty_cell(std::vector<double>& table) {
  const bool main_diagonal = table[0] == 0.0 || table[3] == 0.0;
  if (!main_diagonal && table[1] != 0.0 && table[2] != 0.0) return;
  const double half = main_diagonal ? 0.5 : -0.5;
  table[0] += half;
  table[3] += half;
  table[1] -= half;
  table[2] -= half;
}

class PolychoricEstimator final : public CorrelationEstimator {
 public:
  explicit PolychoricEstimator(const CategoricalRows& data) : data_(data), columns_(data.cols()) {}

  void estimate(const RowCount* counts, SquareMatrix& correlation, Monitor& monitor) override {
    const std::size_t d = data_.cols();
    burt_.count(data_, counts, monitor);
    for (std::size_t column = 0; column < d; ++column) columns_[column] = drawn_column(data_, burt_, column);
    correlation.reset(d, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < d; ++i) {
      if (columns_[i].levels.size() < 2) continue;
      correlation(i, i) = 1.0;
      for (std::size_t j = 0; j < i; ++j) {
        monitor.tick();
        if (columns_[j].levels.size() > 1) correlation(i, j) = correlation(j, i) = correlate(columns_[i], columns_[j]);
      }
    }
  }

 private:
  double correlate(const DrawnColumn& x, const DrawnColumn& y) {
    table_.clear();
    for (const std::size_t a : x.levels)
      for (const std::size_t b : y.levels) table_.push_back(burt_(a, b));
    if (x.levels.size() == 2 && y.levels.size() == 2) fill_empty_cell(table_);
    return fit_.correlation(x.margin, y.margin, table_);
  }

  const CategoricalRows& data_;
  BurtTable burt_;
  std::vector<DrawnColumn> columns_;
  std::vector<double> table_;
  PolychoricFit fit_;
};

}  // namespace

PolychoricSource::PolychoricSource(const Table& x, const std::vector<std::size_t>& levels, Monitor& monitor)
    : data_(x, levels, monitor), information_(levels.size(), 1.0) {
  std::vector<double> counts(data_.all_levels(), 0.0);
  for (std::size_t row = 0; row < data_.rows(); ++row)
    for (std::size_t column = 0; column < data_.cols(); ++column) counts[data_.row(row)[column]] += 1.0;
  for (std::size_t column = 0; column < data_.cols(); ++column) {
    std::vector<double> present;
    for (std::size_t level = data_.first(column); level < data_.first(column + 1); ++level)
      if (counts[level] > 0.0) present.push_back(counts[level]);
    if (present.size() > 1) information_[column] = OrdinalMargin(present).information;
  }
}

std::unique_ptr<CorrelationEstimator> PolychoricSource::make_estimator() const {
  return std::make_unique<PolychoricEstimator>(data_);
}

}  // namespace pyvalue
