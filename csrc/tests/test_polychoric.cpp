#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "pyvalue/bivariate_normal.hpp"
#include "pyvalue/nearest_correlation.hpp"
#include "pyvalue/normal_distribution.hpp"
#include "pyvalue/polychoric.hpp"
#include "pyvalue/polychoric_source.hpp"
#include "pyvalue/symmetric_eigen.hpp"

using namespace pyvalue;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double fit(const std::vector<double>& rows, const std::vector<double>& columns, const std::vector<double>& table) {
  return PolychoricFit().correlation(OrdinalMargin(rows), OrdinalMargin(columns), table);
}

// What a table of infinitely many rows holds.
std::vector<double> expected_table(const std::vector<double>& h, const std::vector<double>& k, double r) {
  std::vector<double> table;
  for (std::size_t i = 0; i + 1 < h.size(); ++i)
    for (std::size_t j = 0; j + 1 < k.size(); ++j)
      table.push_back(1e6 * (bivariate_normal_cdf(h[i + 1], k[j + 1], r) - bivariate_normal_cdf(h[i], k[j + 1], r) -
                             bivariate_normal_cdf(h[i + 1], k[j], r) + bivariate_normal_cdf(h[i], k[j], r)));
  return table;
}

std::vector<double> expected_margin(const std::vector<double>& thresholds) {
  std::vector<double> counts;
  for (std::size_t i = 0; i + 1 < thresholds.size(); ++i)
    counts.push_back(1e6 * (normal_cdf(thresholds[i + 1]) - normal_cdf(thresholds[i])));
  return counts;
}

}  // namespace

TEST(quantile_inverts_the_normal_distribution) {
  for (double x = -8.0; x < 8.0; x += 0.37) {
    const double p = normal_cdf(x);
    CHECK(std::abs(normal_cdf(normal_quantile(p)) - p) <= 4e-16 * std::max(1.0, std::abs(x)));
    if (x < 0.0) CHECK(std::abs(normal_quantile(p) - x) < 1e-13);
  }
  CHECK(normal_quantile(0.5) == 0.0 || std::abs(normal_quantile(0.5)) < 1e-16);
  CHECK(normal_quantile(0.0) == -infinity && normal_quantile(1.0) == infinity);
}

TEST(bivariate_normal_meets_itself_where_methods_change) {
  // Both sides of each border must be as far apart as the slope says.
  for (const double border : {0.3, 0.75, 0.925}) {
    for (const double sign : {-1.0, 1.0}) {
      for (const double h : {-2.1, -0.3, 0.0, 1.4}) {
        for (const double k : {-1.2, 0.2, 2.5}) {
          const double r = sign * border, rest = 1 - r * r, step = 1e-7;
          const double exponent = -(h * h - 2 * r * h * k + k * k) / (2 * rest);
          const double density = std::exp(exponent) / (2 * std::numbers::pi * std::sqrt(rest));
          const double rise = bivariate_normal_cdf(h, k, r + step) - bivariate_normal_cdf(h, k, r - step);
          CHECK(std::abs(rise - 2 * step * density) < 2e-14);
        }
      }
    }
  }
}

TEST(bivariate_normal_has_the_right_limits) {
  CHECK(bivariate_normal_cdf(-infinity, 1.0, 0.5) == 0.0);
  CHECK(std::abs(bivariate_normal_cdf(infinity, 1.0, 0.5) - normal_cdf(1.0)) < 1e-15);
  CHECK(std::abs(bivariate_normal_cdf(0.3, 1.0, 1.0) - normal_cdf(0.3)) < 1e-15);
  CHECK(std::abs(bivariate_normal_cdf(0.3, 1.0, 1.0 - 1e-13) - normal_cdf(0.3)) < 1e-12);
  CHECK(std::abs(bivariate_normal_cdf(0.3, 1.0, -1.0) - (normal_cdf(1.0) - normal_cdf(-0.3))) < 1e-15);
  CHECK(bivariate_normal_cdf(-0.3, -1.0, -1.0) == 0.0);
}

TEST(correlation_of_a_table_without_sampling_error) {
  const std::vector<double> h = {-infinity, -1.0, -0.2, 0.1, 1.3, infinity}, k = {-infinity, -0.5, 1.1, infinity};
  for (const double r : {-0.97, -0.6, -0.1, 0.0, 0.3, 0.8, 0.95, 0.999})
    CHECK(std::abs(fit(expected_margin(h), expected_margin(k), expected_table(h, k, r)) - r) < 1e-8);
}

TEST(tetrachoric_correlation_of_median_splits) {
  for (const double agreeing : {0.02, 0.3, 0.5, 0.77, 0.99}) {
    const std::vector<double> table = {50 * agreeing, 50 * (1 - agreeing), 50 * (1 - agreeing), 50 * agreeing};
    CHECK(std::abs(fit({50, 50}, {50, 50}, table) - std::sin(std::numbers::pi / 2 * (2 * agreeing - 1))) < 1e-10);
  }
}

TEST(perfect_order_stays_within_bounds) {
  const double up = fit({10, 10, 10}, {10, 10, 10}, {10, 0, 0, 0, 10, 0, 0, 0, 10});
  const double down = fit({10, 10, 10}, {10, 10, 10}, {0, 0, 10, 0, 10, 0, 10, 0, 0});
  CHECK(up > 0.98 && up <= PolychoricFit::bound && down < -0.98 && down >= -PolychoricFit::bound);
}

TEST(information_of_a_median_split_is_two_over_pi) {
  CHECK(std::abs(OrdinalMargin(std::vector<double>{7, 7}).information - 2 / std::numbers::pi) < 1e-15);
}

TEST(levels_that_are_not_drawn_are_dropped) {
  const std::vector<double> codes = {0, 0, 1, 2, 3, 1, 3, 3, 0, 1, 1, 0, 3, 2, 0, 2};       // (8, 2)
  const std::vector<double> without = {0, 0, 1, 2, 2, 1, 2, 2, 0, 1, 1, 0, 2, 2, 0, 2};     // levels closed up
  const std::vector<double> constant = {0, 0, 1, 0, 3, 0, 3, 0, 0, 0, 1, 0, 3, 0, 0, 0};
  std::vector<double> shifted = codes;
  for (std::size_t row = 0; row < 8; ++row)
    if (shifted[row * 2 + 1] == 3) shifted[row * 2 + 1] = 2;
  const std::vector<RowCount> counts = {1, 2, 1, 3, 1, 1, 1, 0};
  Monitor monitor;
  const PolychoricSource with_gaps(Table::of(shifted.data(), 8, 2), {5, 4}, monitor);
  const PolychoricSource closed_up(Table::of(without.data(), 8, 2), {3, 3}, monitor);
  CHECK(with_gaps.correlation(counts.data(), monitor)(0, 1) == closed_up.correlation(counts.data(), monitor)(1, 0));
  const PolychoricSource one_value(Table::of(constant.data(), 8, 2), {4, 1}, monitor);
  const auto replicator = one_value.make_replicator(8.0, 0.05);
  replicator->load({counts.data()}, monitor);
  CHECK(!replicator->is_constant(0, 0) && replicator->is_constant(0, 1));
}

TEST(codes_must_be_levels) {
  Monitor monitor;
  for (const double wrong : {-1.0, 0.5, 3.0, std::numeric_limits<double>::quiet_NaN()}) {
    const std::vector<double> codes = {0, 1, 2, wrong};
    bool caught = false;
    try {
      PolychoricSource source(Table::of(codes.data(), 4, 1), {3}, monitor);
    } catch (const std::invalid_argument&) {
      caught = true;
    }
    CHECK(caught);
  }
}

TEST(eigenvectors_put_the_matrix_together) {
  constexpr std::size_t d = 9;
  SquareMatrix matrix(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) matrix(i, j) = std::cos(static_cast<double>(i * j + i + j));
  Monitor monitor;
  const SymmetricEigen eigen = symmetric_eigen(matrix, monitor);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      double entry = 0.0, product = 0.0;
      for (std::size_t k = 0; k < d; ++k) {
        entry += eigen.values[k] * eigen.vectors(k, i) * eigen.vectors(k, j);
        product += eigen.vectors(i, k) * eigen.vectors(j, k);
      }
      CHECK(std::abs(entry - matrix(i, j)) < 1e-13 && std::abs(product - (i == j ? 1.0 : 0.0)) < 1e-13);
    }
  }
}

TEST(nearest_correlation_of_the_published_example) {
  SquareMatrix matrix(3, 1.0);  // Higham (2002), section 4; the entries are his to four places
  matrix(0, 2) = matrix(2, 0) = 0.0;
  Monitor monitor;
  CHECK(!has_eigenvalues_above(matrix, -1e-8));
  const SquareMatrix nearest = nearest_correlation(matrix, 1e-8, monitor);
  CHECK(std::abs(nearest(0, 1) - 0.7607) < 5e-5 && std::abs(nearest(0, 2) - 0.1573) < 5e-5);
  CHECK(nearest(1, 1) == 1.0 && has_eigenvalues_above(nearest, 0.9e-8) && !has_eigenvalues_above(nearest, 2e-8));
}
