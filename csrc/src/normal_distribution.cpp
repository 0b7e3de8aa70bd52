#include "pyvalue/normal_distribution.hpp"

#include <limits>

namespace pyvalue {
namespace {

// Abramowitz & Stegun 26.2.23, for p <= 1/2; good to 4.5e-4.
double rough_lower_quantile(double p) {
  const double t = std::sqrt(-2.0 * std::log(p));
  return (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
}

}  // namespace

double normal_quantile(double p) {
  if (!(p >= 0.0 && p <= 1.0)) return std::numeric_limits<double>::quiet_NaN();
  if (p > 0.5) return -normal_quantile(1.0 - p);
  if (p == 0.0) return -std::numeric_limits<double>::infinity();
  // Halley's method triples the digits that are right: two steps from three of them. f'' / f' is -x.
  double x = rough_lower_quantile(p);
  for (int step = 0; step < 2; ++step) {
    const double newton = (normal_cdf(x) - p) / normal_density(x);
    x -= newton / (1.0 + 0.5 * x * newton);
  }
  return x;
}

}  // namespace pyvalue
