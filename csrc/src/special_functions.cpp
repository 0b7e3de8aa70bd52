#include "pyvalue/special_functions.hpp"

#include <cmath>
#include <limits>
#include <numbers>

namespace pyvalue {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

// log gamma without the sign that std::lgamma writes to a global.
double log_gamma(double a) {
#if defined(__GLIBC__)
  int sign = 0;
  return ::lgamma_r(a, &sign);
#else
  return std::lgamma(a);
#endif
}

// x^a e^-x / gamma(a).
double front_factor(double a, double x) {
  constexpr double large = 20.0;
  if (a < large) return std::exp(a * std::log(x) - x - log_gamma(a));
  // By Stirling's series: the exponent above would be a small difference of numbers as large as a log a.
  const double m = (x - a) / a, r = 1.0 / (a * a);
  const double series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / a;
  return std::sqrt(a / (2.0 * std::numbers::pi)) * std::exp(-a * (m - std::log1p(m)) - series);
}

// Lower regularised incomplete gamma function by its power series (Abramowitz & Stegun 6.5.29), for x < a + 1.
double lower_by_series(double a, double x) {
  double term = 1.0 / a, sum = term;
  for (double n = a + 1.0; std::abs(term) > epsilon * std::abs(sum); n += 1.0) {
    term *= x / n;
    sum += term;
  }
  return sum * front_factor(a, x);
}

// Upper one by its continued fraction (6.5.31) in Lentz's form, for x >= a + 1.
double upper_by_fraction(double a, double x) {
  constexpr double tiny = std::numeric_limits<double>::min() / epsilon;
  double b = x + 1.0 - a, c = 1.0 / tiny, d = 1.0 / b, fraction = d;
  for (int i = 1; i < 100000; ++i) {
    const double numerator = -i * (i - a);
    b += 2.0;
    d = numerator * d + b;
    if (std::abs(d) < tiny) d = tiny;
    c = b + numerator / c;
    if (std::abs(c) < tiny) c = tiny;
    d = 1.0 / d;
    const double step = d * c;
    fraction *= step;
    if (std::abs(step - 1.0) <= epsilon) break;
  }
  return front_factor(a, x) * fraction;
}

}  // namespace

double chi_squared_upper_tail(double statistic, double degrees_of_freedom) {
  if (!(statistic > 0.0)) return std::isnan(statistic) ? statistic : 1.0;
  if (std::isinf(statistic)) return 0.0;
  const double a = 0.5 * degrees_of_freedom, x = 0.5 * statistic;
  return x < a + 1.0 ? 1.0 - lower_by_series(a, x) : upper_by_fraction(a, x);
}

}  // namespace pyvalue
