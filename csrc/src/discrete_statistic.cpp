#include "pyvalue/discrete_statistic.hpp"

namespace pyvalue {
namespace {

// log(n / (n - 1)), whose series converges fast for large n.
long double log_step(std::size_t n) {
  constexpr std::size_t large = 256;
  if (n < large) return std::log(static_cast<long double>(n)) - std::log(static_cast<long double>(n - 1));
  const long double u = 1.0L / static_cast<long double>(2 * n - 1), square = u * u;
  return 2.0L * u * (1.0L + square * (1.0L / 3.0L + square * (1.0L / 5.0L)));
}

}  // namespace

void DiscreteStatistic::prepare(std::size_t rows) {
  if (kind_ != Kind::g_squared || entropies_.size() > rows) return;
  const double largest = static_cast<double>(rows + 1) * std::log(static_cast<double>(rows + 1));
  // A sum of entries is at most twice the largest one, and whole units below 2^52 add up exactly.
  const long double unit = std::ldexp(1.0L, std::ilogb(largest) + 2 - 52);
  entropies_.assign(rows + 1, {0.0, 0.0});
  long double log = 0.0L, excess = 0.0L;  // what rounding has added to it (Kahan 1965)
  for (std::size_t n = 2; n <= rows; ++n) {
    const long double step = log_step(n) - excess, sum = log + step;
    excess = (sum - log) - step;
    log = sum;
    const long double entropy = static_cast<long double>(n) * log, coarse = std::floor(entropy / unit) * unit;
    entropies_[n] = {static_cast<double>(coarse), static_cast<double>(entropy - coarse)};
  }
}

// Twice the sum of n log n over the cells and the strata less that over the rows and the columns of every stratum.
TestStatistic DiscreteStatistic::g_squared(const StrataView& strata) const {
  constexpr std::size_t lanes = 4;  // sums that do not wait for each other; x_stride is a multiple
  const std::size_t y_stride = strata.inner * strata.x_stride;
  Entropy sum[lanes] = {};
  double degrees_of_freedom = 0.0;
  for (std::size_t outer = 0; outer < strata.outer; ++outer) {
    for (std::size_t inner = 0; inner < strata.inner; ++inner) {
      const std::size_t first = outer * strata.y_levels * strata.inner + inner;
      double total = 0.0, y_present = 0.0, x_present = 0.0;
      for (std::size_t y = 0; y < strata.y_levels; ++y) {
        const double column = strata.totals[first + y * strata.inner];
        total += column;
        y_present += column > 0.0 ? 1.0 : 0.0;
      }
      if (y_present < 2.0) continue;
      sum[0].add(entropies_[static_cast<std::size_t>(total)]);
      for (std::size_t y = 0; y < strata.y_levels; ++y)
        sum[y % lanes].subtract(entropies_[static_cast<std::size_t>(strata.totals[first + y * strata.inner])]);
      for (std::size_t x = 0; x < strata.x_stride; x += lanes) {
        const std::uint32_t* counts = strata.counts + first * strata.x_stride + x;
        std::uint32_t rows[lanes] = {};
        for (std::size_t y = 0; y < strata.y_levels; ++y) {
          for (std::size_t lane = 0; lane < lanes; ++lane) {
            const std::uint32_t count = counts[y * y_stride + lane];
            rows[lane] += count;
            sum[lane].add(entropies_[count]);
          }
        }
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          sum[lane].subtract(entropies_[rows[lane]]);
          x_present += rows[lane] > 0 ? 1.0 : 0.0;
        }
      }
      degrees_of_freedom += (x_present - 1.0) * (y_present - 1.0);
    }
  }
  for (std::size_t lane = 1; lane < lanes; ++lane) sum[0].add(sum[lane]);
  return {2.0 * (sum[0].coarse + sum[0].rest), degrees_of_freedom};
}

}  // namespace pyvalue
