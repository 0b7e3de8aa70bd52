// The PC algorithm under any test: skeleton, then orientation.
#pragma once

#include <cstddef>
#include <optional>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/colliders.hpp"
#include "pyvalue/knowledge.hpp"
#include "pyvalue/meek.hpp"
#include "pyvalue/mixed_graph.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/skeleton.hpp"

namespace pyvalue {

struct PcOptions {
  std::optional<std::size_t> max_depth;
  ColliderRule rule = ColliderRule::separating_set;
  ColliderPriority priority = ColliderPriority::existing;
  unsigned threads = 1;
  bool report_sweeps = false;  // to the monitor: one step a variable and round
};

class PcSearch {
 public:
  void run(const CiTest& test, const Knowledge& knowledge, const PcOptions& options, Monitor& monitor);

  const EndMarks& marks() const { return graph_.marks(); }
  const SkeletonResult& skeleton() const { return skeleton_; }
  std::uint64_t singular_tests() const { return skeleton_.singular_tests + colliders_.singular_tests(); }

 private:
  void orient_known_edges(const Knowledge& knowledge);

  SkeletonSearch search_;
  SkeletonResult skeleton_;
  MixedGraph graph_;
  ColliderSearch colliders_;
  MeekRules meek_;
};

}  // namespace pyvalue
