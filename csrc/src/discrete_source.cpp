#include "pyvalue/discrete_source.hpp"

#include "pyvalue/discrete_test.hpp"

namespace pyvalue {
namespace {

class DiscreteReplicator final : public Replicator {
 public:
  DiscreteReplicator(const CodedColumns& columns, DiscreteStatistic::Kind kind, const EffectiveRows& effective, double alpha)
      : rows_(columns), test_(rows_, kind, effective, alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    rows_.load(counts.front(), monitor);
  }

  bool is_constant(std::size_t, std::size_t column) const override { return rows_.is_constant(column); }

  const CiTest& test(std::size_t, const std::vector<std::size_t>& columns) override {
    test_.set_columns(columns);
    return test_;
  }

 private:
  CodedRows rows_;
  DiscreteTest test_;
};

}  // namespace

std::unique_ptr<Replicator> DiscreteSource::make_replicator(const EffectiveRows& effective, double alpha) const {
  return std::make_unique<DiscreteReplicator>(columns_, kind_, effective, alpha);
}

}  // namespace pyvalue
