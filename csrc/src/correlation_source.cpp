#include "pyvalue/correlation_source.hpp"

#include <cmath>
#include <vector>

#include "pyvalue/fisher_z.hpp"
#include "pyvalue/nearest_correlation.hpp"

namespace pyvalue {
namespace {

// Rounding of eigenvalues stays far below it; R's Matrix::nearPD takes the same bound.
constexpr double smallest_eigenvalue = 1e-8;

void copy_columns(const SquareMatrix& source, const std::vector<std::size_t>& columns, SquareMatrix& target) {
  target.reset(columns.size());
  for (std::size_t a = 0; a < columns.size(); ++a)
    for (std::size_t b = 0; b < columns.size(); ++b) target(a, b) = source(columns[a], columns[b]);
}

// Returns whether the matrix had to be replaced. Columns without correlations stay as they are.
bool repair(SquareMatrix& correlation, Monitor& monitor) {
  std::vector<std::size_t> columns;
  for (std::size_t column = 0; column < correlation.size(); ++column)
    if (!std::isnan(correlation(column, column))) columns.push_back(column);
  SquareMatrix part;
  copy_columns(correlation, columns, part);
  if (has_eigenvalues_above(part, -smallest_eigenvalue)) return false;

  part = nearest_correlation(part, smallest_eigenvalue, monitor);
  for (std::size_t a = 0; a < columns.size(); ++a)
    for (std::size_t b = 0; b < columns.size(); ++b) correlation(columns[a], columns[b]) = part(a, b);
  return true;
}

class CorrelationReplicator final : public Replicator {
 public:
  CorrelationReplicator(std::unique_ptr<CorrelationEstimator> estimator, EffectiveRows effective, double alpha,
                        std::atomic<std::uint64_t>& repairs)
      : estimator_(std::move(estimator)),
        effective_(std::move(effective)),
        repairs_(repairs),
        test_(SquareMatrix(), effective_.all(), alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    estimator_->estimate(counts.front(), correlation_, monitor);
    if (repair(correlation_, monitor)) repairs_.fetch_add(1, std::memory_order_relaxed);
  }

  bool is_constant(std::size_t, std::size_t column) const override { return std::isnan(correlation_(column, column)); }

  const CiTest& test(std::size_t, const std::vector<std::size_t>& columns) override {
    copy_columns(correlation_, columns, part_);
    test_.set_correlation(part_, effective_.of_columns(columns));
    return test_;
  }

 private:
  std::unique_ptr<CorrelationEstimator> estimator_;
  EffectiveRows effective_;
  std::atomic<std::uint64_t>& repairs_;
  SquareMatrix correlation_;
  SquareMatrix part_;
  FisherZ test_;
};

}  // namespace

std::unique_ptr<Replicator> CorrelationSource::make_replicator(const EffectiveRows& effective, double alpha) const {
  return std::make_unique<CorrelationReplicator>(make_estimator(), effective.with_information(information()), alpha, repairs_);
}

SquareMatrix CorrelationSource::correlation(const RowCount* counts, Monitor& monitor) const {
  SquareMatrix result;
  make_estimator()->estimate(counts, result, monitor);
  repair(result, monitor);
  return result;
}

}  // namespace pyvalue
