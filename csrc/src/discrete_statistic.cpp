#include "pyvalue/discrete_statistic.hpp"

#include <cmath>

namespace pyvalue {
namespace {

// Logs of counts are below 2^5: with 40 bits after the point four of them add up without rounding.
constexpr double coarse_unit = 0x1p-40;

}  // namespace

void DiscreteStatistic::prepare(std::size_t rows) {
  if (kind_ != Kind::g_squared || logs_.size() > rows) return;
  logs_.resize(rows + 1);
  logs_[0] = {0.0, 0.0};
  // log n = log(n - 1) + log(1 + 1 / (n - 1)): the steps' rounding errors shrink as fast as the steps.
  double coarse = 0.0, rest = 0.0;
  for (std::size_t n = 1; n <= rows; ++n) {
    if (n > 1) rest += std::log1p(1.0 / static_cast<double>(n - 1));
    const double carry = std::floor(rest / coarse_unit) * coarse_unit;
    coarse += carry;
    rest -= carry;
    logs_[n] = {coarse, rest};
  }
}

TestStatistic DiscreteStatistic::g_squared(const StrataView& strata) const {
  const std::size_t y_stride = strata.inner * strata.x_stride;
  TestStatistic result{0.0, 0.0};
  for (std::size_t outer = 0; outer < strata.outer; ++outer) {
    for (std::size_t inner = 0; inner < strata.inner; ++inner) {
      const std::size_t first = outer * strata.y_levels * strata.inner + inner;
      const double* totals = strata.totals + first;
      double total = 0.0, y_present = 0.0, x_present = 0.0;
      for (std::size_t y = 0; y < strata.y_levels; ++y) {
        total += totals[y * strata.inner];
        y_present += totals[y * strata.inner] > 0.0 ? 1.0 : 0.0;
      }
      if (y_present < 2.0) continue;
      const Log& log_total = logs_[static_cast<std::size_t>(total)];
      for (std::size_t x = 0; x < strata.x_stride; ++x) {
        const std::uint32_t* counts = strata.counts + first * strata.x_stride + x;
        std::uint32_t row = 0;
        for (std::size_t y = 0; y < strata.y_levels; ++y) row += counts[y * y_stride];
        if (row == 0) continue;
        x_present += 1.0;
        const Log& log_row = logs_[row];
        for (std::size_t y = 0; y < strata.y_levels; ++y) {
          const std::uint32_t count = counts[y * y_stride];
          const Log& log_column = logs_[static_cast<std::size_t>(totals[y * strata.inner])];
          result.value += count * log_of_ratio(logs_[count], log_total, log_row, log_column);
        }
      }
      result.degrees_of_freedom += (x_present - 1.0) * (y_present - 1.0);
    }
  }
  result.value *= 2.0;
  return result;
}

}  // namespace pyvalue
