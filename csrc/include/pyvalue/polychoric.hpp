// Polychoric correlation of one contingency table, by two-step maximum likelihood (Olsson 1979).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pyvalue {

// An ordinal variable as a normal one that is known only up to the interval it falls into. The first step: thresholds
// are the normal quantiles of the cumulated shares.
struct OrdinalMargin {
  std::vector<double> share;      // (levels,), all > 0
  std::vector<double> cumulated;  // (levels - 1,)
  std::vector<double> threshold;  // (levels - 1,)
  std::vector<double> score;      // (levels,), expectation of the normal variable in each interval
  double information = 0.0;       // variance of the scores: the share of Fisher's information that the levels keep

  OrdinalMargin() = default;
  explicit OrdinalMargin(std::span<const double> counts);  // all > 0
};

// The second step: the correlation at which the table is likeliest, given both margins. Holds one thread's scratch.
class PolychoricFit {
 public:
  static constexpr double bound = 1.0 - 1e-6;

  // counts is (x levels, y levels) in row-major order, with these margins and at least two levels each. The result is
  // in [-bound, bound]. Where empty cells let the likelihood rise to +-1, it is flat to the last bit from some point on: that or beyond.
  double correlation(const OrdinalMargin& x, const OrdinalMargin& y, std::span<const double> counts);

 private:
  // The log-likelihood around one correlation.
  struct Curve {
    double slope = 0.0;
    double curvature = 0.0;
    double information = 0.0;
    bool is_possible = true;  // false: a cell that was observed has probability zero
  };

  Curve curve_at(double correlation, const OrdinalMargin& x, const OrdinalMargin& y, std::span<const double> counts);

  double total_ = 0.0;
  std::vector<double> excess_;
  std::vector<double> cdf_;      // (x levels + 1, y levels + 1), at the thresholds and both ends
  std::vector<double> density_;  // its first derivative by the correlation,
  std::vector<double> slope_;    // and its second
};

}  // namespace pyvalue
