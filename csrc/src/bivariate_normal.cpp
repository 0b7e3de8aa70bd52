#include "pyvalue/bivariate_normal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "pyvalue/normal_distribution.hpp"

namespace pyvalue {
namespace {

// Gauss-Legendre quadrature on [-1, 1] with an even number of nodes: the positive ones, and their weights.
template <std::size_t half>
struct GaussLegendre {
  std::array<double, half> node{}, weight{};

  // Roots of the Legendre polynomial by Newton's method, the polynomial by its recurrence.
  GaussLegendre() {
    constexpr double degree = 2.0 * half;
    for (std::size_t index = 0; index < half; ++index) {
      double x = std::cos(std::numbers::pi * (static_cast<double>(index) + 0.75) / (degree + 0.5)), derivative = 0.0;
      for (int step = 0; step < 10; ++step) {
        double value = x, before = 1.0;
        for (double n = 2.0; n <= degree; n += 1.0) {
          const double next = ((2.0 * n - 1.0) * x * value - (n - 1.0) * before) / n;
          before = value;
          value = next;
        }
        derivative = degree * (x * value - before) / (x * x - 1.0);
        x -= value / derivative;
      }
      node[index] = x;
      weight[index] = 2.0 / ((1.0 - x * x) * derivative * derivative);
    }
  }
};

// Plackett's identity d P / d r = density, with r = sin(angle) (Drezner & Wesolowsky 1990): the excess is
// 1 / (2 pi) times the integral of exp((hk sin - (h^2 + k^2) / 2) / cos^2) over angles from 0 to asin(r).
template <std::size_t half>
void integrate_from_independence(std::span<const double> h, std::span<const double> k, double r, double* excess) {
  static const GaussLegendre<half> rule;
  const double middle = 0.5 * std::asin(r);
  std::array<double, 2 * half> sine, inverse, weight;  // inverse: 1 / cos^2
  for (std::size_t index = 0; index < half; ++index) {
    for (std::size_t side = 0; side < 2; ++side) {
      const std::size_t at = 2 * index + side;
      sine[at] = std::sin(middle * (side == 0 ? 1.0 - rule.node[index] : 1.0 + rule.node[index]));
      inverse[at] = 1.0 / ((1.0 - sine[at]) * (1.0 + sine[at]));
      weight[at] = rule.weight[index] * middle / (2.0 * std::numbers::pi);
    }
  }
  for (const double h_i : h) {
    for (const double k_j : k) {
      const double product = h_i * k_j, squares = 0.5 * (h_i * h_i + k_j * k_j);
      double sum = 0.0;
      for (std::size_t at = 0; at < 2 * half; ++at)
        sum += weight[at] * std::exp((product * sine[at] - squares) * inverse[at]);
      *excess++ = sum;
    }
  }
}

// P(X < min(h, k)) - P(X < h, Y < k) for r near 1, after Genz (2004). It is the same integral from r to 1; with
// x = cos(angle) the integrand is exp(-(h - k)^2 / (2 x^2)) exp(-hk / (1 + sqrt(1 - x^2))) / sqrt(1 - x^2) over
// 0 < x < sqrt(1 - r^2). Its second and third factor together are e^(-hk/2) (1 + c x^2 + c d x^4 + ...), of which the
// first three terms integrate in closed form, and quadrature does the small and smooth rest.
double deficit_near_one(double h, double k, double r) {
  static const GaussLegendre<10> rule;
  const double product = h * k, square = (h - k) * (h - k), distance = std::abs(h - k);
  const double end_squared = (1.0 - r) * (1.0 + r), end = std::sqrt(end_squared);
  const double c = (4.0 - product) / 8.0, d = (12.0 - product) / 16.0;

  const double gauss = std::exp(-0.5 * (square / end_squared + product));
  double sum = end * gauss * (1.0 - c * (square - end_squared) * (1.0 - d * square / 5.0) / 3.0 +
                              c * d * end_squared * end_squared / 5.0);
  const double tail = normal_cdf(-distance / end);  // may underflow while the factor before it overflows
  if (tail > 0.0)
    sum -= std::exp(-0.5 * product) * std::sqrt(2.0 * std::numbers::pi) * tail * distance *
           (1.0 - c * square * (1.0 - d * square / 5.0) / 3.0);
  for (std::size_t index = 0; index < rule.node.size(); ++index) {
    for (const double side : {-1.0, 1.0}) {
      const double x = 0.5 * end * (1.0 + side * rule.node[index]), x_squared = x * x;
      const double root = std::sqrt(1.0 - x_squared);
      const double exact = std::exp(-0.5 * product * (1.0 - root) / (1.0 + root)) / root;
      const double series = 1.0 + c * x_squared * (1.0 + d * x_squared);
      sum += 0.5 * end * rule.weight[index] * std::exp(-0.5 * (square / x_squared + product)) * (exact - series);
    }
  }
  return sum / (2.0 * std::numbers::pi);
}

constexpr double near_one = 0.925;  // from here on Genz (2004) integrates from the other end

double cdf_near_one(double h, double k, double r) {
  if (r > 0.0) return std::max(0.0, normal_cdf(std::min(h, k)) - deficit_near_one(h, k, r));
  // P(X < h) = P(X < h, Y < k) + P(X < h, -Y < -k), and -Y has correlation -r with X.
  const double certain = h > -k ? (h < 0.0 ? normal_cdf(h) - normal_cdf(-k) : normal_cdf(k) - normal_cdf(-h)) : 0.0;
  return std::max(0.0, certain + deficit_near_one(h, -k, -r));
}

}  // namespace

void bivariate_normal_excess(std::span<const double> h, std::span<const double> k, double r, double* excess) {
  const double size = std::abs(r);
  if (size < 0.3) return integrate_from_independence<3>(h, k, r, excess);
  if (size < 0.75) return integrate_from_independence<6>(h, k, r, excess);
  if (size < near_one) return integrate_from_independence<10>(h, k, r, excess);
  for (const double h_i : h)
    for (const double k_j : k) *excess++ = cdf_near_one(h_i, k_j, r) - normal_cdf(h_i) * normal_cdf(k_j);
}

double bivariate_normal_cdf(double h, double k, double r) {
  if (std::isinf(h)) return h < 0.0 ? 0.0 : normal_cdf(k);
  if (std::isinf(k)) return k < 0.0 ? 0.0 : normal_cdf(h);
  if (r >= 1.0) return normal_cdf(std::min(h, k));
  if (r <= -1.0) return h > -k ? (h < 0.0 ? normal_cdf(h) - normal_cdf(-k) : normal_cdf(k) - normal_cdf(-h)) : 0.0;
  if (std::abs(r) >= near_one) return cdf_near_one(h, k, r);
  double excess = 0.0;
  bivariate_normal_excess({&h, 1}, {&k, 1}, r, &excess);
  return std::max(0.0, normal_cdf(h) * normal_cdf(k) + excess);
}

}  // namespace pyvalue
