#include "pyvalue/polychoric.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "pyvalue/bivariate_normal.hpp"
#include "pyvalue/normal_distribution.hpp"

namespace pyvalue {
namespace {

// One step of Fisher scoring from independence, where it has a closed form.
double first_estimate(const OrdinalMargin& x, const OrdinalMargin& y, std::span<const double> counts) {
  const std::size_t columns = y.share.size();
  double sum = 0.0, total = 0.0;
  for (std::size_t i = 0; i < x.share.size(); ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      sum += counts[i * columns + j] * x.score[i] * y.score[j];
      total += counts[i * columns + j];
    }
  }
  constexpr double not_beyond = 0.95;
  return std::clamp(sum / (total * x.information * y.information), -not_beyond, not_beyond);
}

}  // namespace

OrdinalMargin::OrdinalMargin(std::span<const double> counts) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double before = 0.0, density_before = 0.0;
  for (std::size_t level = 0; level < counts.size(); ++level) {
    before += counts[level];
    double density = 0.0;
    if (level + 1 < counts.size()) {
      cumulated.push_back(before / total);
      threshold.push_back(normal_quantile(cumulated.back()));
      density = normal_density(threshold.back());
    }
    share.push_back(counts[level] / total);
    score.push_back((density_before - density) / share.back());
    information += score.back() * score.back() * share.back();
    density_before = density;
  }
}

double PolychoricFit::correlation(const OrdinalMargin& x, const OrdinalMargin& y, std::span<const double> counts) {
  constexpr double tolerance = 1e-7;  // a Newton step this short leaves an error of about its square
  constexpr int most_steps = 100;
  total_ = std::accumulate(counts.begin(), counts.end(), 0.0);
  // The maximum lies between low and high, where the likelihood still rises and already falls. Newton's steps, where
  // they stay inside; else halves, which also lead to the ends.
  double low = -bound, high = bound, at = first_estimate(x, y, counts);
  for (int step = 0; step < most_steps; ++step) {
    const Curve curve = curve_at(at, x, y, counts);
    const bool rises = curve.is_possible ? curve.slope > 0.0 : at < 0.0;
    (rises ? low : high) = at;
    if (high - low <= tolerance) return std::abs(low) > std::abs(high) ? low : high;
    double next = 0.5 * (low + high);
    if (curve.is_possible) {
      const double newton = curve.slope / (curve.curvature < 0.0 ? -curve.curvature : curve.information);
      if (std::abs(newton) <= tolerance) return std::clamp(at + newton, low, high);
      if (at + newton > low && at + newton < high) next = at + newton;
    }
    at = next;
  }
  return at;
}

PolychoricFit::Curve PolychoricFit::curve_at(double correlation, const OrdinalMargin& x, const OrdinalMargin& y,
                                             std::span<const double> counts) {
  // Differences of four probabilities are good to some 1e-16.
  constexpr double impossible = 1e-15;
  const std::size_t rows = x.share.size(), columns = y.share.size(), width = columns + 1;
  const double unexplained = (1.0 - correlation) * (1.0 + correlation);
  const double density_factor = 1.0 / (2.0 * std::numbers::pi * std::sqrt(unexplained));
  excess_.resize((rows - 1) * (columns - 1));
  bivariate_normal_excess(x.threshold, y.threshold, correlation, excess_.data());
  for (auto* grid : {&cdf_, &density_, &slope_}) grid->assign((rows + 1) * width, 0.0);
  for (std::size_t i = 1; i < rows; ++i) cdf_[i * width + columns] = x.cumulated[i - 1];
  for (std::size_t j = 1; j < columns; ++j) cdf_[rows * width + j] = y.cumulated[j - 1];
  cdf_[rows * width + columns] = 1.0;
  for (std::size_t i = 1; i < rows; ++i) {
    for (std::size_t j = 1; j < columns; ++j) {
      const double h = x.threshold[i - 1], k = y.threshold[j - 1], squares = h * h + k * k;
      const double density = density_factor * std::exp((correlation * h * k - 0.5 * squares) / unexplained);
      const std::size_t at = i * width + j;
      cdf_[at] = x.cumulated[i - 1] * y.cumulated[j - 1] + excess_[(i - 1) * (columns - 1) + j - 1];
      density_[at] = density;
      slope_[at] = density *
                   (correlation * unexplained + (1.0 + correlation * correlation) * h * k - correlation * squares) /
                   (unexplained * unexplained);
    }
  }

  Curve curve;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const auto cell = [&](const std::vector<double>& grid) {
        const double* corner = grid.data() + i * width + j;
        return corner[width + 1] - corner[width] - corner[1] + corner[0];
      };
      const double probability = cell(cdf_), count = counts[i * columns + j];
      if (probability <= impossible) {
        curve.is_possible = curve.is_possible && count == 0.0;
        continue;
      }
      const double inverse = 1.0 / probability, relative = cell(density_) * inverse;
      curve.information += total_ * probability * relative * relative;
      curve.slope += count * relative;
      curve.curvature += count * (cell(slope_) * inverse - relative * relative);
    }
  }
  return curve;
}

}  // namespace pyvalue
