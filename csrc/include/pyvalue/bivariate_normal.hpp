// The bivariate normal distribution with means 0, variances 1 and correlation r.
#pragma once

#include <span>

namespace pyvalue {

// P(X < h, Y < k), to about 15 decimal places; h and k may be infinite, |r| <= 1.
double bivariate_normal_cdf(double h, double k, double r);

// How far dependence lifts it: P(X < h_i, Y < k_j) - P(X < h_i) P(Y < k_j), (h.size(), k.size()) in row-major order.
// h and k finite, |r| < 1. Cheaper than point by point.
void bivariate_normal_excess(std::span<const double> h, std::span<const double> k, double r, double* excess);

}  // namespace pyvalue
