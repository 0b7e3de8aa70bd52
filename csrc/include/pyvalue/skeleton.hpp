// Skeleton of PC-stable (Colombo & Maathuis 2014) under any test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/knowledge.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/separating_sets.hpp"
#include "pyvalue/square.hpp"

namespace pyvalue {

struct SkeletonResult {
  Square<std::uint8_t> adjacent;
  Square<std::uint8_t> unsupported;  // edges that knowledge requires and a test would have removed
  SeparatingSets sets;
  std::uint64_t tests = 0;
  std::uint64_t singular_tests = 0;  // tests without an answer; their edges stay
  std::size_t rounds = 0;            // orders 0 .. rounds - 1 were tested
};

// Keeps its memory between runs: one object a thread serves all of that thread's replicates.
class SkeletonSearch {
 public:
  // max_depth is the largest conditioning set. Same result for any number of threads. Known non-edges are not tested,
  // known edges until a set separates them, and a set that separates x holds only variables that may be its parents. report_sweeps: the monitor
  // advances by one for every variable in every round.
  void run(const CiTest& test, const Knowledge& knowledge, std::optional<std::size_t> max_depth, unsigned threads,
           Monitor& monitor, SkeletonResult& result, bool report_sweeps = false);

  // A sweep of the last run's test, for tests that orientation wants.
  Sweep& sweep() { return *sweeps_.front(); }

 private:
  struct Neighbourhood {
    std::vector<std::size_t> variables;  // possible parents first
    std::vector<std::uint8_t> fixed;
    std::size_t candidates = 0;
  };

  void bind(const CiTest& test, unsigned threads);
  void run_round(const CiTest& test, const Knowledge& knowledge, std::size_t order, unsigned threads, Monitor& monitor, SkeletonResult& result,
                 bool report_sweeps);
  void list_neighbours(const SkeletonResult& result, const Knowledge& knowledge, bool later_only);
  double tests_of_order(std::size_t order) const;

  std::vector<Neighbourhood> neighbours_;
  Square<std::uint8_t> removed_;
  const CiTest* test_ = nullptr;
  std::vector<std::unique_ptr<Sweep>> sweeps_;  // one a thread
};

}  // namespace pyvalue
