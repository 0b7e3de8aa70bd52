// The standard normal distribution.
#pragma once

#include <cmath>
#include <numbers>

namespace pyvalue {

inline double normal_density(double x) {
  return std::exp(-0.5 * x * x) * (0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2);
}

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// The x with normal_cdf(x) = p, to full precision; infinite for p = 0 and p = 1.
double normal_quantile(double p);

}  // namespace pyvalue
