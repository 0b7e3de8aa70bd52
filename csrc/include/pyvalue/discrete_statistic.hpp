// Pearson's chi-squared and the likelihood ratio's G-squared of contingency tables.
#pragma once

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
    if (kind_ == Kind::g_squared)
      return 2.0 * count * log_of_ratio(logs_[count], logs_[total], logs_[row], logs_[column]);
    const double product = static_cast<double>(row) * column;
    return count * ((static_cast<double>(count) * total - product) / product);
  }

 private:
  // Sums and differences of the coarse parts are exact, so that a ratio near 1 has a log with all its digits.
  struct Log {
    double coarse, rest;
  };

  static double log_of_ratio(const Log& a, const Log& b, const Log& c, const Log& d) {
    return ((a.coarse + b.coarse) - (c.coarse + d.coarse)) + ((a.rest + b.rest) - (c.rest + d.rest));
  }

  TestStatistic g_squared(const StrataView& strata) const;

  Kind kind_;
  const ContingencyKernels& kernels_;
  std::vector<Log> logs_;  // of whole numbers; 0 in place of log 0, which is always multiplied by 0
};

}  // namespace pyvalue
