#include "pyvalue/pearson_source.hpp"

#include "pyvalue/fisher_z.hpp"
#include "pyvalue/replicate_grams.hpp"

namespace pyvalue {
namespace {

class PearsonReplicator final : public Replicator {
 public:
  PearsonReplicator(const Table& table, const ColumnScaling& scaling, const EffectiveRows& effective, double alpha)
      : table_(table), scaling_(scaling), grams_(table.cols()), effective_(effective), test_(SquareMatrix(), effective.all(), alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    const auto pack = [&](std::size_t row, std::size_t rows, std::size_t width, double* packed) {
      pack_rows(table_, scaling_, row, rows, width, packed);
    };
    grams_.load(table_.rows(), counts, monitor, pack);
  }

  bool is_constant(std::size_t index, std::size_t column) const override {
    return is_one_value(grams_[index], column, table_, grams_.counts(index), column);
  }

  const CiTest& test(std::size_t index, const std::vector<std::size_t>& columns) override {
    correlation_of(grams_[index], columns, correlation_);
    if (effective_.is_one_for_all()) test_.set_correlation(correlation_);
    else test_.set_correlation(correlation_, effective_.of_columns(columns));
    return test_;
  }

 private:
  const Table& table_;
  const ColumnScaling& scaling_;
  ReplicateGrams grams_;
  SquareMatrix correlation_;
  EffectiveRows effective_;
  FisherZ test_;
};

}  // namespace

std::unique_ptr<Replicator> PearsonSource::make_replicator(const EffectiveRows& effective, double alpha) const {
  return std::make_unique<PearsonReplicator>(table_, scaling_, effective, alpha);
}

}  // namespace pyvalue
