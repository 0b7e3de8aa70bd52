// The sweep of the Fisher-z test.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/simd.hpp"

namespace pyvalue {

// The sets form a tree: a node adds one variable s to the set of its parent, and the covariances of x and its
// neighbours given the set follow from the parent's by one rank-1 downdate (a Schur complement step). At a leaf only
// x's own row is needed, so that one more test costs about six floating-point operations whatever its order.
//
// A decision near the threshold, or behind a small pivot, is made again from FisherZ::p_value.
class ConditioningSweep final : public Sweep {
 public:
  explicit ConditioningSweep(const FisherZ& test) : test_(&test) {}

  void run(const Task& task, Monitor& monitor) override;
  bool is_separated(std::size_t y) const override { return separated_[0][y] != 0; }
  bool is_separator(std::size_t y, std::size_t s) const override { return separators_[s * width_ + y] != 0; }
  double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) override {
    return test_->p_value(x, y, given, scratch_);
  }

 private:
  // Covariances given the sets at one depth of the tree, up to `order` of them; a lane is a neighbour. Lanes in the
  // set, and the padding, hold a covariance with x that no threshold reaches.
  struct Node {
    std::vector<double> rows;  // (neighbours, width), rows behind the last member only; zero on the diagonal
    std::vector<double> with_x;
    std::vector<double> variance;
    double variance_of_x = 1.0;
    bool exact = false;  // a pivot was small: nothing below this node is decided by downdates
  };

  void test_marginally();
  void reserve(std::size_t neighbours, std::size_t order);
  void load(std::span<const std::size_t> neighbours);
  void extend(std::size_t depth, std::size_t first);
  void condition_on(std::size_t depth, std::size_t member);
  void test_leaf(std::size_t depth, std::size_t member);
  bool test_by_downdate(std::size_t depth, std::size_t member);
  void test_exactly(std::size_t depth, std::size_t member, bool all);
  bool is_in_doubt(const Node& node, std::size_t member, std::size_t y) const;
  void record(std::size_t depth, std::size_t member);

  const FisherZ* test_;
  Monitor* monitor_ = nullptr;
  std::size_t x_ = 0;
  std::span<const std::size_t> neighbours_;
  std::size_t candidates_ = 0;
  std::size_t order_ = 0;
  std::size_t width_ = 0;  // neighbours, padded
  double threshold_ = 0.0;              // of r^2: one for all, or 1 where every lane has its own
  std::vector<double> thresholds_;      // (width_,), or empty
  std::vector<Node> nodes_;
  std::vector<std::vector<LaneMask>> separated_;  // by depth: lanes separated below the current node
  std::vector<LaneMask> separators_;
  std::vector<std::size_t> members_;  // of the current set, as indices of neighbours
  std::vector<std::size_t> given_;    // the same, as variables
  FisherZ::Scratch scratch_;
};

}  // namespace pyvalue
