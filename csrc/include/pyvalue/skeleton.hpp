// Skeleton of PC-stable (Colombo & Maathuis 2014) under the Fisher-z test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/conditioning_sweep.hpp"
#include "pyvalue/matrix_view.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/separating_sets.hpp"

namespace pyvalue {

struct SkeletonResult {
  Square<std::uint8_t> adjacent;
  SeparatingSets sets;
  std::uint64_t tests = 0;
  std::uint64_t singular_tests = 0;  // tests without an answer; their edges stay
  std::size_t rounds = 0;            // orders 0 .. rounds - 1 were tested
};

// Keeps its memory between runs: one object a thread serves all of that thread's replicates.
class SkeletonSearch {
 public:
  // max_depth is the largest conditioning set. Same result for any number of threads.
  void run(const FisherZ& test, std::optional<std::size_t> max_depth, unsigned threads, Monitor& monitor,
           SkeletonResult& result);

 private:
  void test_marginally(const FisherZ& test, Monitor& monitor, SkeletonResult& result);
  void test_given_sets(const FisherZ& test, std::size_t order, unsigned threads, Monitor& monitor,
                       SkeletonResult& result);
  void list_neighbours(const Square<std::uint8_t>& adjacent);
  std::size_t max_degree() const;
  double tests_of_order(std::size_t order) const;

  std::vector<std::vector<std::size_t>> neighbours_;
  Square<std::uint8_t> removed_;
  std::vector<ConditioningSweep> sweeps_;  // one a thread
};

}  // namespace pyvalue
