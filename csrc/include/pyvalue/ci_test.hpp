// What the search asks of a test of conditional independence. It knows no statistic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pyvalue/monitor.hpp"

namespace pyvalue {

// All tests of one variable x against its neighbours, given every set of one size drawn from those neighbours. Holds
// one thread's scratch memory and the result of the last run.
class Sweep {
 public:
  // Neighbours to test x against; sets are drawn from the first `candidates` of them. fixed[y] marks neighbours whose
  // edge is not in question: they need no test, their result is not read.
  struct Task {
    std::size_t x;
    std::span<const std::size_t> neighbours;
    std::size_t candidates;
    std::span<const std::uint8_t> fixed;
    std::size_t order;
  };

  virtual ~Sweep() = default;
  virtual void run(const Task& task, Monitor& monitor) = 0;

  // Whether some set separated x from neighbours[y], and whether neighbours[s] was in such a set.
  virtual bool is_separated(std::size_t y) const = 0;
  virtual bool is_separator(std::size_t y, std::size_t s) const = 0;

  // Of one test, given distinct variables in ascending order; NaN where the test has no answer.
  virtual double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) = 0;

  std::uint64_t singular_tests() const { return singular_tests_; }

 protected:
  std::uint64_t singular_tests_ = 0;  // of the last run: tests without an answer
};

// A test on one set of data. Independent means p > alpha. Must outlive its sweeps.
class CiTest {
 public:
  CiTest(std::size_t variables, double alpha) : variables_(variables), alpha_(alpha) {}
  virtual ~CiTest() = default;

  std::size_t variables() const { return variables_; }
  double alpha() const { return alpha_; }

  virtual std::unique_ptr<Sweep> make_sweep() const = 0;

  // Rough cost of one test, which tells whether threads are worth their start.
  virtual double nanoseconds() const = 0;

  // Whether sweeps may run on several threads at once.
  virtual bool is_threadsafe() const { return true; }

 protected:
  std::size_t variables_;
  double alpha_;
};

// A sweep that goes through the sets one by one, for tests that share no work between sets.
class SetwiseSweep : public Sweep {
 public:
  explicit SetwiseSweep(double alpha) : alpha_(alpha) {}

  void run(const Task& task, Monitor& monitor) final;
  bool is_separated(std::size_t y) const final { return separated_[y] != 0; }
  bool is_separator(std::size_t y, std::size_t s) const final { return separators_[y * neighbours_ + s] != 0; }
  double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) final;

 protected:
  // p-values of x against every one of ys given one set in ascending order; NaN where there is no answer.
  virtual void test(std::size_t x, std::span<const std::size_t> ys, std::span<const std::size_t> given,
                    std::span<double> p) = 0;

  // For tests that take long: lets Ctrl-C through.
  void tick() {
    if (monitor_ != nullptr) monitor_->tick_slowly();
  }

 private:
  double alpha_;
  Monitor* monitor_ = nullptr;
  std::size_t neighbours_ = 0;
  std::vector<std::uint8_t> separated_;
  std::vector<std::uint8_t> separators_;
  std::vector<std::size_t> members_;  // of the current set, as indices of neighbours
  std::vector<std::size_t> given_;
  std::vector<std::size_t> lanes_;
  std::vector<std::size_t> ys_;
  std::vector<double> p_;
};

// Goes through the subsets of 0 .. size - 1 with `members.size()` members in lexicographic order.
inline bool next_subset(std::span<std::size_t> members, std::size_t size) {
  for (std::size_t at = members.size(); at-- > 0;) {
    if (members[at] + (members.size() - at) >= size) continue;
    ++members[at];
    for (std::size_t after = at + 1; after < members.size(); ++after) members[after] = members[after - 1] + 1;
    return true;
  }
  return false;
}

}  // namespace pyvalue
