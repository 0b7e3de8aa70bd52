#include "pyvalue/missing_source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "pyvalue/fisher_z.hpp"
#include "pyvalue/monitor.hpp"

namespace pyvalue {
namespace {

constexpr double no_answer = std::numeric_limits<double>::quiet_NaN();

// Columns are centred on the mean of all their values. Where the complete rows are so far off, against their own
// deviation, the difference of the sums has lost three digits of sixteen; they are then centred on their own mean.
constexpr double suspicious = 1e-3;

class MissingTest final : public CiTest {
 public:
  MissingTest(const Table& table, const MissingPatterns* patterns, const PresentColumns* columns, EffectiveRows effective,
              double alpha)
      : CiTest(0, alpha), table_(table), effective_(std::move(effective)) {
    if (patterns != nullptr) grams_.emplace(*patterns);
    else rows_.emplace(*columns);
  }

  void load(const RowCount* counts, Monitor& monitor) {
    counts_ = counts;
    total_weight_ = std::accumulate(counts, counts + table_.rows(), 0.0);
    if (grams_) grams_->load(counts, monitor);
    else rows_->load(counts);
  }

  void set_columns(const std::vector<std::size_t>& columns) {
    columns_ = columns;
    variables_ = columns.size();
  }

  const Table& table() const { return table_; }
  const RowCount* counts() const { return counts_; }
  std::size_t column(std::size_t variable) const { return columns_[variable]; }
  double effective_rows(double weight, std::size_t x, std::size_t y) const {
    return weight * (effective_.of(column(x), column(y)) / total_weight_);
  }
  std::unique_ptr<CompleteSummer> make_summer() const { return grams_ ? grams_->make_summer() : rows_->make_summer(); }

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override { return grams_ ? 300.0 : 2.0 * static_cast<double>(table_.rows()); }

 private:
  const Table& table_;
  EffectiveRows effective_;
  std::optional<PatternGrams> grams_;  // exactly one of the two
  std::optional<CompleteRows> rows_;
  const RowCount* counts_ = nullptr;
  double total_weight_ = 0.0;
  std::vector<std::size_t> columns_;
};

class MissingSweep final : public SetwiseSweep {
 public:
  explicit MissingSweep(const MissingTest& test)
      : SetwiseSweep(test.alpha()), test_(test), summer_(test.make_summer()) {}

 private:
  void test(std::size_t x, std::span<const std::size_t> ys, std::span<const std::size_t> given,
            std::span<double> p) override {
    const std::size_t size = CompleteSums::size(given.size());
    sums_.resize(ys.size() * size);
    given_columns_.clear();
    y_columns_.clear();
    for (const std::size_t variable : given) given_columns_.push_back(test_.column(variable));
    for (const std::size_t y : ys) y_columns_.push_back(test_.column(y));
    summer_->sum(test_.column(x), given_columns_, y_columns_, sums_.data());
    for (std::size_t index = 0; index < ys.size(); ++index)
      p[index] = p_value_of(x, ys[index], given, sums_.data() + index * size);
  }

  double p_value_of(std::size_t x, std::size_t y, std::span<const std::size_t> given, const double* sums) {
    const double weight = sums[0], n = test_.effective_rows(weight, x, y);
    if (weight == 0.0) return no_answer;
    if (n - static_cast<double>(given.size()) - 3.0 <= 0.0) return 1.0;
    // In FisherZ's order. The sums are in the order 1, x, given..., y.
    const std::size_t size = given.size() + 2;
    places_.resize(size);
    std::iota(places_.begin(), places_.end(), std::size_t{0});
    places_[0] = x < y ? 1 : size;
    places_[1] = x < y ? size : 1;
    covariance_.resize(size * size);
    for (std::size_t a = 0; a < size; ++a) {
      const double of_a = sums[CompleteSums::at(places_[a], 0)];
      for (std::size_t b = 0; b <= a; ++b) {
        const std::size_t high = std::max(places_[a], places_[b]), low = std::min(places_[a], places_[b]);
        covariance_[a * size + b] =
            sums[CompleteSums::at(high, low)] - of_a * sums[CompleteSums::at(places_[b], 0)] / weight;
      }
      if (covariance_[a * size + a] > suspicious * of_a * of_a / weight) continue;
      if (!sum_from_rows(std::min(x, y), std::max(x, y), given)) return no_answer;
      break;
    }
    make_correlation(size);
    return fisher_z_p_value(covariance_.data(), size, n, solutions_);
  }

  // The covariances from the rows themselves, in two passes. False where a variable has one value in all of them.
  bool sum_from_rows(std::size_t first, std::size_t second, std::span<const std::size_t> given) {
    const Table& table = test_.table();
    const std::size_t size = given.size() + 2;
    variables_.assign({test_.column(first), test_.column(second)});
    for (const std::size_t variable : given) variables_.push_back(test_.column(variable));
    values_.clear();
    weights_.clear();
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const std::size_t start = values_.size();
      for (const std::size_t variable : variables_) values_.push_back(table(row, variable));
      const bool missing = std::any_of(values_.end() - static_cast<std::ptrdiff_t>(size), values_.end(),
                                       [](double value) { return std::isnan(value); });
      if (missing || test_.counts()[row] == 0) values_.resize(start);
      else weights_.push_back(test_.counts()[row]);
    }
    const double weight = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    std::fill(covariance_.begin(), covariance_.end(), 0.0);
    for (std::size_t a = 0; a < size; ++a) {
      const double origin = values_[a];
      double sum = 0.0;
      bool constant = true;
      for (std::size_t row = 0; row < weights_.size(); ++row) {
        constant = constant && values_[row * size + a] == origin;
        sum += weights_[row] * (values_[row * size + a] - origin);
      }
      if (constant) return false;
      const double mean = origin + sum / weight;
      for (std::size_t row = 0; row < weights_.size(); ++row) values_[row * size + a] -= mean;
    }
    for (std::size_t row = 0; row < weights_.size(); ++row)
      for (std::size_t a = 0; a < size; ++a)
        for (std::size_t b = 0; b <= a; ++b)
          covariance_[a * size + b] += weights_[row] * values_[row * size + a] * values_[row * size + b];
    return true;
  }

  // In place, from the lower triangle.
  void make_correlation(std::size_t size) {
    for (std::size_t a = 0; a < size; ++a) {
      double& variance = covariance_[a * size + a];
      variance = 1.0 / std::sqrt(variance);
      for (std::size_t b = 0; b < a; ++b) {
        const double r = covariance_[a * size + b] * variance * covariance_[b * size + b];
        covariance_[a * size + b] = covariance_[b * size + a] = std::clamp(r, -1.0, 1.0);
      }
    }
    for (std::size_t a = 0; a < size; ++a) covariance_[a * size + a] = 1.0;
  }

  const MissingTest& test_;
  std::unique_ptr<CompleteSummer> summer_;
  std::vector<std::size_t> given_columns_, y_columns_, places_, variables_;
  std::vector<double> sums_, covariance_, solutions_, values_, weights_;
};

std::unique_ptr<Sweep> MissingTest::make_sweep() const { return std::make_unique<MissingSweep>(*this); }

class MissingReplicator final : public Replicator {
 public:
  MissingReplicator(const Table& table, const MissingPatterns* patterns, const PresentColumns* columns,
                    const EffectiveRows& effective, double alpha)
      : test_(table, patterns, columns, effective, alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    test_.load(counts.front(), monitor);
  }

  bool is_constant(std::size_t, std::size_t column) const override {
    return is_one_value(test_.table(), test_.counts(), column);
  }

  const CiTest& test(std::size_t, const std::vector<std::size_t>& columns) override {
    test_.set_columns(columns);
    return test_;
  }

 private:
  MissingTest test_;
};

}  // namespace

MissingSource::MissingSource(Table table, Monitor& monitor, Method method) : table_(std::move(table)) {
  const ColumnScaling scaling = scale_present(table_, monitor);
  if (method == Method::automatic) patterns_ = MissingPatterns::find(table_, scaling, monitor);
  if (!patterns_) columns_.emplace(table_, scaling, monitor);
}

std::unique_ptr<Replicator> MissingSource::make_replicator(const EffectiveRows& effective, double alpha) const {
  return std::make_unique<MissingReplicator>(table_, patterns_ ? &*patterns_ : nullptr, columns_ ? &*columns_ : nullptr,
                                             effective, alpha);
}

}  // namespace pyvalue
