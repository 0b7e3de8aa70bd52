#include "pyvalue/ci_test.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pyvalue {

void SetwiseSweep::run(const Task& task, Monitor& monitor) {
  monitor_ = &monitor;
  neighbours_ = task.neighbours.size();
  singular_tests_ = 0;
  separated_.assign(neighbours_, 0);
  separators_.assign(neighbours_ * neighbours_, 0);
  if (task.candidates < task.order) return;
  members_.resize(task.order);
  std::iota(members_.begin(), members_.end(), std::size_t{0});
  do {
    monitor.tick_slowly();
    given_.clear();
    for (const std::size_t member : members_) given_.push_back(task.neighbours[member]);
    std::sort(given_.begin(), given_.end());
    lanes_.clear();
    ys_.clear();
    for (std::size_t y = 0; y < neighbours_; ++y) {
      if (task.fixed[y] != 0 || std::find(members_.begin(), members_.end(), y) != members_.end()) continue;
      lanes_.push_back(y);
      ys_.push_back(task.neighbours[y]);
    }
    p_.resize(ys_.size());
    test(task.x, ys_, given_, p_);
    for (std::size_t index = 0; index < p_.size(); ++index) {
      if (std::isnan(p_[index])) ++singular_tests_;
      if (!(p_[index] > alpha_)) continue;
      separated_[lanes_[index]] = 1;
      for (const std::size_t member : members_) separators_[lanes_[index] * neighbours_ + member] = 1;
    }
  } while (next_subset(members_, task.candidates));
  monitor_ = nullptr;
}

double SetwiseSweep::p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) {
  double p = 0.0;
  test(x, {&y, 1}, given, {&p, 1});
  return p;
}

}  // namespace pyvalue
