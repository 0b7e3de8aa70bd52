#include "pyvalue/degenerate_gaussian.hpp"

#include <algorithm>
#include <cmath>

#include "pyvalue/residual_basis.hpp"
#include "pyvalue/special_functions.hpp"

namespace pyvalue {
namespace {

class DegenerateGaussianSweep final : public SetwiseSweep {
 public:
  explicit DegenerateGaussianSweep(const DegenerateGaussian& test) : SetwiseSweep(test.alpha()), test_(test) {}

 private:
  void test(std::size_t x, std::span<const std::size_t> ys, std::span<const std::size_t> given,
            std::span<double> p) override {
    condition_on(given);
    of_x_.find(test_.correlation(), set_, test_.first(x), test_.first(x + 1));
    for (std::size_t index = 0; index < ys.size(); ++index) {
      of_y_.find(test_.correlation(), set_, test_.first(ys[index]), test_.first(ys[index] + 1));
      // The same order from both ends: the same bits.
      const double rows = test_.rows_of(x, ys[index]);
      p[index] = x < ys[index] ? p_value_of(of_x_, of_y_, rows) : p_value_of(of_y_, of_x_, rows);
    }
  }

  // Sets follow each other in lexicographic order: the factor of the members that a set shares with the last is kept.
  void condition_on(std::span<const std::size_t> given) {
    if (version_ != test_.version()) given_.clear();
    version_ = test_.version();
    const auto differ = std::mismatch(given_.begin(), given_.end(), given.begin(), given.end());
    const auto shared = static_cast<std::size_t>(differ.first - given_.begin());
    ranks_.resize(shared);
    set_.shrink(shared == 0 ? 0 : ranks_.back());
    for (std::size_t index = shared; index < given.size(); ++index) {
      set_.take(test_.correlation(), test_.first(given[index]), test_.first(given[index] + 1));
      ranks_.push_back(set_.rank());
    }
    given_.assign(given.begin(), given.end());
  }

  double p_value_of(const ResidualBasis& x, const ResidualBasis& y, double rows) {
    if (x.rank == 0 || y.rank == 0) return 1.0;
    const auto of_x = static_cast<double>(x.rank), of_y = static_cast<double>(y.rank);
    const double factor = rows - static_cast<double>(set_.rank()) - 1.0 - 0.5 * (of_x + of_y + 1.0);
    if (factor <= 0.0) return 1.0;
    const double statistic = -factor * lambda_.log(test_.correlation(), set_.rank(), x, y);
    return std::min(1.0, chi_squared_upper_tail(statistic, of_x * of_y));
  }

  const DegenerateGaussian& test_;
  std::uint64_t version_ = 0;
  ConditioningFactor set_;
  std::vector<std::size_t> given_;  // the set's members,
  std::vector<std::size_t> ranks_;  // and its rank after each of them
  ResidualBasis of_x_, of_y_;
  WilksLambda lambda_;
};

}  // namespace

void DegenerateGaussian::set_correlation(const SquareMatrix& correlation, const std::vector<std::size_t>& first,
                                         EffectiveRows rows) {
  correlation_ = correlation;
  rows_ = std::move(rows);
  first_ = first;
  variables_ = first.size() - 1;
  ++version_;
}

std::unique_ptr<Sweep> DegenerateGaussian::make_sweep() const {
  return std::make_unique<DegenerateGaussianSweep>(*this);
}

}  // namespace pyvalue
