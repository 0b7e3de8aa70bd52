#include "pyvalue/pearson_source.hpp"

#include <algorithm>

#include "pyvalue/fisher_z.hpp"

namespace pyvalue {
namespace {

class PearsonReplicator final : public Replicator {
 public:
  PearsonReplicator(const Table& table, const ColumnScaling& scaling, double effective_n, double alpha)
      : table_(table), scaling_(scaling), test_(SquareMatrix(), effective_n, alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    constexpr std::size_t block = GramAccumulator::block_rows;
    counts_ = counts;
    while (grams_.size() < counts.size()) grams_.emplace_back(table_.cols());
    for (std::size_t index = 0; index < counts.size(); ++index) grams_[index].clear();
    packed_.resize(block * grams_.front().padded_columns());
    for (std::size_t row = 0; row < table_.rows(); row += block) {
      monitor.tick();
      const std::size_t rows = std::min(block, table_.rows() - row);
      pack_rows(table_, scaling_, row, rows, grams_.front().padded_columns(), packed_.data());
      for (std::size_t index = 0; index < counts.size(); ++index)
        grams_[index].add_weighted(packed_.data(), rows, counts[index] + row);
    }
  }

  // The variance of a constant column comes out as rounding error of its squared mean; the rows themselves decide.
  bool is_constant(std::size_t index, std::size_t column) const override {
    constexpr double suspicious = 1e-10;
    const GramAccumulator& gram = grams_[index];
    const double variance = gram.centred(column, column) / gram.total_weight(), mean = gram.mean(column);
    return !(variance > suspicious * mean * mean) && is_one_value(table_, counts_[index], column);
  }

  const CiTest& test(std::size_t index, const std::vector<std::size_t>& columns) override {
    correlation_of(grams_[index], columns, correlation_);
    test_.set_correlation(correlation_);
    return test_;
  }

 private:
  const Table& table_;
  const ColumnScaling& scaling_;
  std::vector<const RowCount*> counts_;
  std::vector<GramAccumulator> grams_;
  std::vector<double> packed_;
  SquareMatrix correlation_;
  FisherZ test_;
};

}  // namespace

std::unique_ptr<Replicator> PearsonSource::make_replicator(double effective_n, double alpha) const {
  return std::make_unique<PearsonReplicator>(table_, scaling_, effective_n, alpha);
}

}  // namespace pyvalue
