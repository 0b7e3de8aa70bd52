#include "pyvalue/conditioning_sweep.hpp"

#include <algorithm>
#include <cmath>

namespace pyvalue {
namespace {

// Its square is above any threshold times any variances of standardised variables.
constexpr double never_independent = 1e3;

// A variance that conditioning shrinks to this much has lost three digits of sixteen; r^2 is then still good to about
// 1e-9, and whatever is closer than `doubt` to the threshold is decided again from the correlations themselves.
constexpr double small_variance = 1e-3;
constexpr double doubt = 1e-6;

}  // namespace

void ConditioningSweep::run(const Task& task, Monitor& monitor) {
  monitor_ = &monitor;
  x_ = task.x;
  neighbours_ = task.neighbours;
  candidates_ = task.candidates;
  order_ = task.order;
  width_ = pad_to_lanes(neighbours_.size());
  threshold_ = test_->squared_threshold(order_);
  thresholds_.clear();
  if (!test_->is_one_threshold_for_all()) {
    threshold_ = 1.0;
    thresholds_.assign(width_, 0.0);
    for (std::size_t y = 0; y < neighbours_.size(); ++y)
      thresholds_[y] = test_->squared_threshold(order_, x_, neighbours_[y]);
  }
  singular_tests_ = 0;
  reserve(neighbours_.size(), std::max<std::size_t>(order_, 1));
  if (order_ == 0) {
    test_marginally();
    return;
  }
  load(neighbours_);
  extend(0, 0);
}

void ConditioningSweep::test_marginally() {
  constexpr double marginal_doubt = 1e-9;
  const double* correlation = test_->correlation().row(x_);
  monitor_->tick();
  for (std::size_t y = 0; y < neighbours_.size(); ++y) {
    const double r = correlation[neighbours_[y]], square = r * r;
    const double threshold = thresholds_.empty() ? threshold_ : thresholds_[y];
    bool independent = square < threshold;
    if (std::abs(square - threshold) <= marginal_doubt * threshold || square > 1.0 - marginal_doubt) {
      const double p = test_->p_value(x_, neighbours_[y], {}, scratch_);
      if (std::isnan(p)) ++singular_tests_;
      independent = p > test_->alpha();
    }
    if (independent) separated_[0][y] = -1;
  }
}

void ConditioningSweep::reserve(std::size_t neighbours, std::size_t order) {
  if (nodes_.size() < order) {
    nodes_.resize(order);
    separated_.resize(order);
  }
  for (std::size_t depth = 0; depth < order; ++depth) {
    if (nodes_[depth].rows.size() < neighbours * width_) nodes_[depth].rows.resize(neighbours * width_);
    if (nodes_[depth].variance.size() < width_) {
      nodes_[depth].with_x.resize(width_);
      nodes_[depth].variance.resize(width_);
      separated_[depth].resize(width_);
    }
  }
  std::fill_n(separated_[0].begin(), width_, LaneMask{0});
  separators_.assign(neighbours * width_, LaneMask{0});
  members_.resize(order);
  given_.resize(order);
}

void ConditioningSweep::load(std::span<const std::size_t> neighbours) {
  const SquareMatrix& correlation = test_->correlation();
  const std::size_t k = neighbours.size();
  Node& root = nodes_[0];
  root.variance_of_x = 1.0;
  root.exact = false;
  std::fill_n(root.variance.begin(), width_, 1.0);
  std::fill_n(root.with_x.begin(), width_, never_independent);
  for (std::size_t i = 0; i < k; ++i) {
    const double* source = correlation.row(neighbours[i]);
    double* row = root.rows.data() + i * width_;
    for (std::size_t j = 0; j < k; ++j) row[j] = source[neighbours[j]];
    std::fill(row + k, row + width_, 0.0);
    row[i] = 0.0;
    root.with_x[i] = source[x_];
  }
}

void ConditioningSweep::extend(std::size_t depth, std::size_t first) {
  const std::size_t still_needed = order_ - depth;
  if (still_needed == 1) {
    monitor_->tick();
    for (std::size_t member = first; member < candidates_; ++member) test_leaf(depth, member);
    return;
  }
  for (std::size_t member = first; member + still_needed <= candidates_; ++member) {
    members_[depth] = member;
    condition_on(depth, member);
    extend(depth + 1, member + 1);
    record(depth, member);
  }
}

// nodes_[depth + 1] = nodes_[depth] given one member more.
void ConditioningSweep::condition_on(std::size_t depth, std::size_t member) {
  const Node& node = nodes_[depth];
  Node& next = nodes_[depth + 1];
  std::fill_n(separated_[depth + 1].begin(), width_, LaneMask{0});
  next.exact = node.exact || node.variance[member] < small_variance;
  if (next.exact) return;

  const std::size_t width = width_;
  const double inverse = 1.0 / node.variance[member];
  const double* pivot_row = node.rows.data() + member * width;
  const double x_factor = node.with_x[member] * inverse;
  next.variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  const SimdKernels& kernels = simd_kernels();
  kernels.downdate(node.with_x.data(), pivot_row, x_factor, next.with_x.data(), width);
  kernels.downdate_squares(node.variance.data(), pivot_row, inverse, next.variance.data(), width);
  next.with_x[member] = never_independent;
  for (std::size_t i = member + 1; i < candidates_; ++i) {
    const double* row = node.rows.data() + i * width;
    double* target = next.rows.data() + i * width;
    kernels.downdate(row, pivot_row, row[member] * inverse, target, width);
    target[i] = 0.0;
    target[member] = 0.0;
  }
}

void ConditioningSweep::test_leaf(std::size_t depth, std::size_t member) {
  Node& node = nodes_[depth];
  members_[depth] = member;
  if (node.exact || node.variance[member] < small_variance) {
    test_exactly(depth, member, true);
    return;
  }
  if (test_by_downdate(depth, member)) test_exactly(depth, member, false);
}

// Independent iff m_xy^2 < threshold * m_xx * m_yy in the covariances m given the set: no root, log or CDF a test.
bool ConditioningSweep::test_by_downdate(std::size_t depth, std::size_t member) {
  Node& node = nodes_[depth];
  const double inverse = 1.0 / node.variance[member];
  const double x_factor = node.with_x[member] * inverse;
  const double variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  if (variance_of_x < small_variance) return true;

  const double saved = node.with_x[member];
  node.with_x[member] = never_independent;
  const LeafTest leaf{node.rows.data() + member * width_,
                      node.with_x.data(),
                      node.variance.data(),
                      thresholds_.empty() ? nullptr : thresholds_.data(),
                      x_factor,
                      inverse,
                      threshold_ * variance_of_x * (1.0 - doubt),
                      threshold_ * variance_of_x * (1.0 + doubt),
                      small_variance,
                      separated_[depth].data(),
                      separators_.data() + member * width_};
  const bool in_doubt = simd_kernels().test_leaf(leaf, width_);
  node.with_x[member] = saved;
  return in_doubt;
}

// The same arithmetic as test_by_downdate, bit by bit, for one lane.
bool ConditioningSweep::is_in_doubt(const Node& node, std::size_t member, std::size_t y) const {
  const double inverse = 1.0 / node.variance[member];
  const double x_factor = node.with_x[member] * inverse;
  const double variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  const double row_y = node.rows[member * width_ + y];
  const double m_xy = node.with_x[y] - x_factor * row_y;
  const double m_yy = node.variance[y] - inverse * (row_y * row_y);
  if (variance_of_x < small_variance || m_yy < small_variance) return true;
  const double square = m_xy * m_xy, scale = thresholds_.empty() ? m_yy : thresholds_[y] * m_yy;
  return square >= threshold_ * variance_of_x * (1.0 - doubt) * scale &&
         square < threshold_ * variance_of_x * (1.0 + doubt) * scale;
}

void ConditioningSweep::test_exactly(std::size_t depth, std::size_t member, bool all) {
  for (std::size_t i = 0; i < order_; ++i) given_[i] = neighbours_[members_[i]];
  for (std::size_t y = 0; y < neighbours_.size(); ++y) {
    if (std::find(members_.begin(), members_.end(), y) != members_.end()) continue;
    if (!all && !is_in_doubt(nodes_[depth], member, y)) continue;
    const double p = test_->p_value(x_, neighbours_[y], given_, scratch_);
    if (std::isnan(p)) ++singular_tests_;
    if (!(p > test_->alpha())) continue;
    separated_[depth][y] = -1;
    separators_[member * width_ + y] = -1;
  }
}

// What was separated below the node was separated by sets that hold the node's member.
void ConditioningSweep::record(std::size_t depth, std::size_t member) {
  LaneMask* separators = separators_.data() + member * width_;
  const LaneMask* below = separated_[depth + 1].data();
  LaneMask* here = separated_[depth].data();
  for (std::size_t y = 0; y < width_; ++y) {
    separators[y] |= below[y];
    here[y] |= below[y];
  }
}

}  // namespace pyvalue
