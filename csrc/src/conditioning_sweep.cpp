#include "pyvalue/conditioning_sweep.hpp"

#include <algorithm>

namespace pyvalue {
namespace {

// Eight doubles fill the widest vector register there is.
constexpr std::size_t lanes = 8;

// Its square is above any threshold times any variances of standardised variables.
constexpr double never_independent = 1e3;

// A variance that conditioning shrinks to this much has lost three digits of sixteen; r^2 is then still good to about
// 1e-9, and whatever is closer than `doubt` to the threshold is decided again from the correlations themselves.
constexpr double small_variance = 1e-3;
constexpr double doubt = 1e-6;

}  // namespace

void ConditioningSweep::run(const FisherZ& test, std::size_t x, std::span<const std::size_t> neighbours,
                            std::size_t order, Monitor& monitor) {
  test_ = &test;
  monitor_ = &monitor;
  x_ = x;
  neighbours_ = neighbours;
  order_ = order;
  width_ = (neighbours.size() + lanes - 1) / lanes * lanes;
  threshold_ = test.squared_threshold(order);
  singular_tests_ = 0;
  reserve(neighbours.size(), order);
  load(neighbours);
  extend(0, 0);
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
  std::fill_n(separated_[0].begin(), width_, Lanes{0});
  separators_.assign(neighbours * width_, Lanes{0});
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
  const std::size_t k = neighbours_.size(), still_needed = order_ - depth;
  if (still_needed == 1) {
    monitor_->tick();
    for (std::size_t member = first; member < k; ++member) test_leaf(depth, member);
    return;
  }
  for (std::size_t member = first; member + still_needed <= k; ++member) {
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
  std::fill_n(separated_[depth + 1].begin(), width_, Lanes{0});
  next.exact = node.exact || node.variance[member] < small_variance;
  if (next.exact) return;

  const std::size_t width = width_;
  const double inverse = 1.0 / node.variance[member];
  const double* pivot_row = node.rows.data() + member * width;
  const double x_factor = node.with_x[member] * inverse;
  next.variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  for (std::size_t y = 0; y < width; ++y) {
    next.with_x[y] = node.with_x[y] - x_factor * pivot_row[y];
    next.variance[y] = node.variance[y] - inverse * pivot_row[y] * pivot_row[y];
  }
  next.with_x[member] = never_independent;
  for (std::size_t i = member + 1; i < neighbours_.size(); ++i) {
    const double* row = node.rows.data() + i * width;
    double* target = next.rows.data() + i * width;
    const double factor = row[member] * inverse;
    for (std::size_t y = 0; y < width; ++y) target[y] = row[y] - factor * pivot_row[y];
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
  const bool in_doubt =
      test_by_downdate(node, member, separated_[depth].data(), separators_.data() + member * width_);
  if (in_doubt) test_exactly(depth, member, false);
}

// Independent iff m_xy^2 < threshold * m_xx * m_yy in the covariances m given the set: no root, log or CDF a test.
bool ConditioningSweep::test_by_downdate(Node& node, std::size_t member, Lanes* __restrict separated,
                                         Lanes* __restrict separators) {
  const std::size_t width = width_;
  const double inverse = 1.0 / node.variance[member];
  const double x_factor = node.with_x[member] * inverse;
  const double variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  if (variance_of_x < small_variance) return true;

  const double saved = node.with_x[member];
  node.with_x[member] = never_independent;
  const double* __restrict row = node.rows.data() + member * width;
  const double* __restrict with_x = node.with_x.data();
  const double* __restrict variance = node.variance.data();
  const double low = threshold_ * variance_of_x * (1.0 - doubt);
  const double high = threshold_ * variance_of_x * (1.0 + doubt);
  Lanes in_doubt = 0;
  for (std::size_t y = 0; y < width; ++y) {
    const double m_xy = with_x[y] - x_factor * row[y];
    const double m_yy = variance[y] - inverse * row[y] * row[y];
    const double square = m_xy * m_xy;
    const Lanes sound = -static_cast<Lanes>(m_yy >= small_variance);
    const Lanes below_low = -static_cast<Lanes>(square < low * m_yy) & sound;
    const Lanes below_high = -static_cast<Lanes>(square < high * m_yy);
    separated[y] |= below_low;
    separators[y] |= below_low;
    in_doubt |= (below_low ^ below_high) | ~sound;
  }
  node.with_x[member] = saved;
  return in_doubt != 0;
}

// The same arithmetic as test_by_downdate, for one lane.
bool ConditioningSweep::is_in_doubt(const Node& node, std::size_t member, std::size_t y) const {
  const double inverse = 1.0 / node.variance[member];
  const double x_factor = node.with_x[member] * inverse;
  const double variance_of_x = node.variance_of_x - node.with_x[member] * x_factor;
  const double row_y = node.rows[member * width_ + y];
  const double m_xy = node.with_x[y] - x_factor * row_y;
  const double m_yy = node.variance[y] - inverse * row_y * row_y;
  if (variance_of_x < small_variance || m_yy < small_variance) return true;
  const double boundary = threshold_ * variance_of_x * m_yy;
  // Twice the doubt: the compiler may have contracted the two loops differently.
  return m_xy * m_xy >= boundary * (1.0 - 2.0 * doubt) && m_xy * m_xy <= boundary * (1.0 + 2.0 * doubt);
}

void ConditioningSweep::test_exactly(std::size_t depth, std::size_t member, bool all) {
  for (std::size_t i = 0; i < order_; ++i) given_[i] = neighbours_[members_[i]];
  for (std::size_t y = 0; y < neighbours_.size(); ++y) {
    if (std::find(members_.begin(), members_.end(), y) != members_.end()) continue;
    if (!all && !is_in_doubt(nodes_[depth], member, y)) continue;
    const Decision decision = test_->decide(x_, neighbours_[y], given_, scratch_);
    if (decision == Decision::singular) ++singular_tests_;
    if (decision != Decision::independent) continue;
    separated_[depth][y] = -1;
    separators_[member * width_ + y] = -1;
  }
}

// What was separated below the node was separated by sets that hold the node's member.
void ConditioningSweep::record(std::size_t depth, std::size_t member) {
  Lanes* separators = separators_.data() + member * width_;
  const Lanes* below = separated_[depth + 1].data();
  Lanes* here = separated_[depth].data();
  for (std::size_t y = 0; y < width_; ++y) {
    separators[y] |= below[y];
    here[y] |= below[y];
  }
}

}  // namespace pyvalue
