#include "pyvalue/degenerate_gaussian_source.hpp"

#include <algorithm>
#include <cmath>

#include "pyvalue/degenerate_gaussian.hpp"
#include "pyvalue/replicate_grams.hpp"

namespace pyvalue {
namespace {

// Of the mean square, below which a variance is rounding error of it.
constexpr double no_variance = 1e-14;

// Correlations of these columns of the sums; a column without variance has zeros.
void embedded_correlation(const GramAccumulator& gram, const std::vector<std::size_t>& columns,
                          SquareMatrix& correlation) {
  const std::size_t size = columns.size();
  correlation.reset(size);
  std::vector<double> factor(size, 0.0);
  for (std::size_t i = 0; i < size; ++i) {
    const double variance = gram.centred(columns[i], columns[i]);
    if (variance > no_variance * gram.product(columns[i], columns[i])) factor[i] = 1.0 / std::sqrt(variance);
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double r = gram.centred(columns[i], columns[j]) * factor[i] * factor[j];
      correlation(i, j) = correlation(j, i) = std::clamp(r, -1.0, 1.0);
    }
    correlation(i, i) = factor[i] > 0.0 ? 1.0 : 0.0;
  }
}

class DegenerateGaussianReplicator final : public Replicator {
 public:
  DegenerateGaussianReplicator(const Table& table, const IndicatorEmbedding& embedding, EffectiveRows effective,
                               double alpha)
      : table_(table), embedding_(embedding), grams_(embedding.columns()), effective_(effective), test_(effective, alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    const auto pack = [&](std::size_t row, std::size_t rows, std::size_t width, double* packed) {
      embedding_.pack_rows(table_, row, rows, width, packed);
    };
    grams_.load(table_.rows(), counts, monitor, pack);
  }

  bool is_constant(std::size_t index, std::size_t column) const override {
    return embedding_.is_constant(grams_[index], table_, grams_.counts(index), column);
  }

  const CiTest& test(std::size_t index, const std::vector<std::size_t>& columns) override {
    first_.assign(1, 0);
    embedded_.clear();
    for (const std::size_t column : columns) {
      for (std::size_t at = embedding_.first(column); at < embedding_.first(column + 1); ++at) embedded_.push_back(at);
      first_.push_back(embedded_.size());
    }
    embedded_correlation(grams_[index], embedded_, correlation_);
    test_.set_correlation(correlation_, first_, effective_.of_columns(columns));
    return test_;
  }

 private:
  const Table& table_;
  const IndicatorEmbedding& embedding_;
  ReplicateGrams grams_;
  std::vector<std::size_t> first_;     // embedded column of each variable of the test
  std::vector<std::size_t> embedded_;  // their places in the sums
  SquareMatrix correlation_;
  EffectiveRows effective_;
  DegenerateGaussian test_;
};

}  // namespace

std::unique_ptr<Replicator> DegenerateGaussianSource::make_replicator(const EffectiveRows& effective,
                                                                      double alpha) const {
  return std::make_unique<DegenerateGaussianReplicator>(table_, embedding_, effective, alpha);
}

}  // namespace pyvalue
