// Meek's rules (1995): the directions that follow from the colliders.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "pyvalue/colliders.hpp"
#include "pyvalue/knowledge.hpp"
#include "pyvalue/mixed_graph.hpp"

namespace pyvalue {

// Steps are made in causal-learn's order, and skipped where its record of ancestors says that they would close a cycle.
class MeekRules {
 public:
  // Rules 1 - 3 over all unshielded triples; with knowledge rule 4 too, which colliders alone never need.
  void apply(MixedGraph& graph, const Knowledge& knowledge);

  // Rules 1 - 3 where the triples that they rest on are known colliders or noncolliders.
  void apply_definite(MixedGraph& graph, const Knowledge& knowledge, const std::vector<Triple>& colliders,
                      const std::vector<Triple>& noncolliders);

 private:
  using Edge = std::pair<std::size_t, std::size_t>;
  using TripleFilter = std::function<bool(std::size_t k, std::size_t i, std::size_t j)>;

  void start(MixedGraph& graph, const Knowledge& knowledge);
  bool orient(std::size_t from, std::size_t to);
  bool apply_rule_1();
  bool apply_rule_1_to(const std::vector<Triple>& noncolliders);
  bool apply_rule_2();
  bool apply_rule_3();
  bool apply_rule_4(const TripleFilter& may_rest_on);
  bool has_kite(std::size_t i, std::size_t j, std::size_t l) const;
  const EndMarks& marks() const { return graph_->marks(); }

  MixedGraph* graph_ = nullptr;
  const Knowledge* knowledge_ = nullptr;
  std::vector<Edge> ordered_edges_;                   // (i, j) by mark at j: tails first, then by j, then by i
  std::vector<std::vector<std::size_t>> onward_;      // k beside j by mark at k: tails first, then by k
  std::vector<std::vector<std::size_t>> undirected_;  // at the start
};

}  // namespace pyvalue
