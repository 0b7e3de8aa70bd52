// Which unshielded triples i - mid - k are colliders i --> mid <-- k, and what happens where two of them disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/knowledge.hpp"
#include "pyvalue/mixed_graph.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/separating_sets.hpp"

namespace pyvalue {

// What makes a triple a collider. All but the first test i against k given every subset of the neighbours of i and of
// the neighbours of k; with or without means: with or without the middle.
enum class ColliderRule : std::uint8_t {
  separating_set = 0,   // the middle is in no separating set that the skeleton recorded
  max_p = 1,            // the largest p-value without is above the largest one with (Ramsey 2016)
  definite_max_p = 2,   // max_p, and no set with separates; a triple that sets of both kinds separate is ambiguous
  conservative = 3,     // the middle is in none of the sets that separate; ambiguous if in some (Ramsey et al. 2006)
  majority = 4          // the middle is in fewer than half of them; ambiguous if in half (Colombo & Maathuis 2014)
};

// The order of the colliders, and what one does to an edge that points out of its middle.
enum class ColliderPriority : std::uint8_t {
  overwrite = 0,         // the last one wins
  bidirect = 1,          // both: <->
  existing = 2,          // the first one wins
  stronger = 3,          // the one with the smaller largest p-value with the middle wins
  stronger_without = 4   // the one with the larger largest p-value without the middle wins
};

struct Triple {
  std::size_t i, mid, k;  // i < k
};

// The result of rules 0 - 2 is causal-learn's (0.1.4.8), collider for collider, in its order. max_depth limits the sets
// of the other rules; causal-learn goes through all sets whatever the limit of the skeleton.
class ColliderSearch {
 public:
  void run(MixedGraph& graph, const SeparatingSets& sets, const Knowledge& knowledge, ColliderRule rule,
           ColliderPriority priority, Sweep& tests, double alpha, std::optional<std::size_t> max_depth,
           Monitor& monitor);

  const std::vector<Triple>& oriented() const { return oriented_; }
  const std::vector<Triple>& noncolliders() const { return noncolliders_; }  // of rules from definite_max_p on
  std::uint64_t singular_tests() const { return singular_tests_; }

 private:
  struct Candidate {
    Triple triple;
    double strength;
  };
  // p-values of i against k, given sets with and without the middle.
  struct Evidence {
    double largest_with = 0.0, largest_without = 0.0;
    std::size_t separating_with = 0, separating_without = 0;
  };
  enum class Verdict : std::uint8_t { collider, noncollider, ambiguous };

  void list_triples(const MixedGraph& graph, const Knowledge& knowledge);
  Evidence evidence(const EndMarks& marks, const Triple& triple, Sweep& tests, double alpha, std::size_t max_depth,
                    Monitor& monitor);
  static Verdict judge(ColliderRule rule, const Evidence& evidence);
  static void orient(MixedGraph& graph, const Triple& triple, ColliderPriority priority,
                     std::vector<Triple>& oriented);

  std::vector<Triple> triples_;
  std::vector<Candidate> candidates_;
  std::vector<Triple> oriented_;
  std::vector<Triple> noncolliders_;
  std::vector<std::size_t> neighbours_;
  std::uint64_t singular_tests_ = 0;
};

}  // namespace pyvalue
