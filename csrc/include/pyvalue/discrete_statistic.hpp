// Pearson's chi-squared and the likelihood ratio's G-squared of contingency tables.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyvalue/contingency_kernels.hpp"

namespace pyvalue {

class DiscreteStatistic {
 public:
  enum class Kind : std::uint8_t { chi_squared, g_squared };

  explicit DiscreteStatistic(Kind kind, const ContingencyKernels& kernels = contingency_kernels())
      : kind_(kind), kernels_(kernels) {}

  // Must have been told of the largest number of rows that tables may hold.
  void prepare(std::size_t rows);

  TestStatistic of(const StrataView& strata) const {
    return kind_ == Kind::chi_squared ? kernels_.chi_squared(strata) : g_squared(strata);
  }

  // What a cell with a count adds, given the totals of its row, its column and its stratum. Over all cells with a count
  // this sums up to the statistic: empty cells of a stratum add their expected count to chi-squared, and the terms
  // here are less by as much.
  double of_occurring_cell(std::uint32_t count, std::uint32_t row, std::uint32_t column, std::uint32_t total) const {
    const double product = static_cast<double>(row) * column, scaled = static_cast<double>(count) * total;
    return count * (kind_ == Kind::chi_squared ? (scaled - product) / product : 2.0 * std::log(scaled / product));
  }

 private:
  // n log n, cut where sums of the coarse parts are still exact: G-squared is a small difference of large sums.
  struct Entropy {
    double coarse, rest;

    void add(const Entropy& other) {
      coarse += other.coarse;
      rest += other.rest;
    }
    void subtract(const Entropy& other) {
      coarse -= other.coarse;
      rest -= other.rest;
    }
  };

  TestStatistic g_squared(const StrataView& strata) const;

  Kind kind_;
  const ContingencyKernels& kernels_;
  std::vector<Entropy> entropies_;  // of whole numbers
};

}  // namespace pyvalue
