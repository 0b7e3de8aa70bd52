#include "pyvalue/pearson_source.hpp"

#include "pyvalue/fisher_z.hpp"
#include "pyvalue/replicate_grams.hpp"

namespace pyvalue {
namespace {

class PearsonReplicator final : public Replicator {
 public:
  PearsonReplicator(const Table& table, const ColumnScaling& scaling, double effective_n, double alpha)
      : table_(table), scaling_(scaling), grams_(table.cols()), test_(SquareMatrix(), effective_n, alpha) {}

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
    test_.set_correlation(correlation_);
    return test_;
  }

 private:
  const Table& table_;
  const ColumnScaling& scaling_;
  ReplicateGrams grams_;
  SquareMatrix correlation_;
  FisherZ test_;
};

}  // namespace

std::unique_ptr<Replicator> PearsonSource::make_replicator(double effective_n, double alpha) const {
  return std::make_unique<PearsonReplicator>(table_, scaling_, effective_n, alpha);
}

}  // namespace pyvalue
