#include "pyvalue/colliders.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pyvalue {
namespace {

void list_neighbours(const EndMarks& marks, std::size_t variable, std::vector<std::size_t>& neighbours) {
  neighbours.clear();
  for (std::size_t other = 0; other < marks.size(); ++other)
    if (is_adjacent(marks, variable, other)) neighbours.push_back(other);
}

bool contains(const std::vector<std::size_t>& sorted, std::size_t variable) {
  return std::binary_search(sorted.begin(), sorted.end(), variable);
}

}  // namespace

void ColliderSearch::run(MixedGraph& graph, const SeparatingSets& sets, const Knowledge& knowledge, ColliderRule rule,
                         ColliderPriority priority, Sweep& tests, double alpha,
                         std::optional<std::size_t> max_depth, Monitor& monitor) {
  const bool by_strength = priority == ColliderPriority::stronger || priority == ColliderPriority::stronger_without;
  const bool is_limited = rule == ColliderRule::conservative || rule == ColliderRule::majority;
  const std::size_t depth = is_limited ? max_depth.value_or(graph.marks().size()) : graph.marks().size();
  list_triples(graph, knowledge);
  candidates_.clear();
  oriented_.clear();
  noncolliders_.clear();
  singular_tests_ = 0;
  for (const Triple& triple : triples_) {
    const bool needs_tests = rule != ColliderRule::separating_set || by_strength;
    const bool allowed = knowledge.allows(triple.i, triple.mid) && knowledge.allows(triple.k, triple.mid);
    if (rule == ColliderRule::separating_set && (!allowed || sets.contains(triple.i, triple.k, triple.mid))) continue;
    const Evidence found = needs_tests ? evidence(graph.marks(), triple, tests, alpha, depth, monitor) : Evidence{};
    const Verdict verdict = judge(rule, found);
    if (verdict == Verdict::noncollider || (verdict == Verdict::collider && !allowed)) noncolliders_.push_back(triple);
    if (verdict != Verdict::collider || !allowed) continue;
    candidates_.push_back({triple, priority == ColliderPriority::stronger ? found.largest_with : found.largest_without});
  }
  if (priority == ColliderPriority::stronger)
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.strength < b.strength; });
  if (priority == ColliderPriority::stronger_without)
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.strength > b.strength; });
  for (const Candidate& candidate : candidates_) orient(graph, candidate.triple, priority, oriented_);
}

// In the order (mid, i, k). Pairs that knowledge keeps apart were never tested: they tell nothing of their middle.
void ColliderSearch::list_triples(const MixedGraph& graph, const Knowledge& knowledge) {
  const EndMarks& marks = graph.marks();
  triples_.clear();
  for (std::size_t mid = 0; mid < marks.size(); ++mid) {
    list_neighbours(marks, mid, neighbours_);
    for (std::size_t a = 0; a < neighbours_.size(); ++a) {
      for (std::size_t b = a + 1; b < neighbours_.size(); ++b) {
        const std::size_t i = neighbours_[a], k = neighbours_[b];
        if (is_adjacent(marks, i, k) || knowledge.forbids_edge(i, k)) continue;
        if (!graph.is_supported(i, mid) || !graph.is_supported(mid, k)) continue;
        triples_.push_back({i, mid, k});
      }
    }
  }
}

ColliderSearch::Evidence ColliderSearch::evidence(const EndMarks& marks, const Triple& triple, Sweep& tests,
                                                  double alpha, std::size_t max_depth, Monitor& monitor) {
  Evidence found;
  std::vector<std::size_t> of_i, of_k, members, given;
  list_neighbours(marks, triple.i, of_i);
  list_neighbours(marks, triple.k, of_k);
  const auto test_subsets = [&](const std::vector<std::size_t>& of, const std::vector<std::size_t>* seen) {
    for (std::size_t order = 0; order <= std::min(of.size(), max_depth); ++order) {
      members.resize(order);
      std::iota(members.begin(), members.end(), std::size_t{0});
      do {
        monitor.tick_slowly();
        given.clear();
        for (const std::size_t member : members) given.push_back(of[member]);
        const auto in_seen = [&](std::size_t variable) { return contains(*seen, variable); };
        if (seen != nullptr && std::all_of(given.begin(), given.end(), in_seen)) continue;
        double p = tests.p_value(triple.i, triple.k, given);
        if (std::isnan(p)) {
          ++singular_tests_;
          p = 0.0;
        }
        const bool with = contains(given, triple.mid);
        double& largest = with ? found.largest_with : found.largest_without;
        largest = std::max(largest, p);
        if (p > alpha) ++(with ? found.separating_with : found.separating_without);
      } while (next_subset(members, of.size()));
    }
  };
  test_subsets(of_i, nullptr);
  test_subsets(of_k, &of_i);
  return found;
}

ColliderSearch::Verdict ColliderSearch::judge(ColliderRule rule, const Evidence& found) {
  const bool with = found.separating_with > 0, without = found.separating_without > 0;
  const bool larger_without = found.largest_without > found.largest_with;
  switch (rule) {
    case ColliderRule::separating_set: return Verdict::collider;
    case ColliderRule::max_p: return larger_without ? Verdict::collider : Verdict::ambiguous;
    case ColliderRule::definite_max_p:
      if (with) return without ? Verdict::ambiguous : Verdict::noncollider;
      return without || larger_without ? Verdict::collider : Verdict::noncollider;
    case ColliderRule::conservative:
      if (with == without) return Verdict::ambiguous;  // both, or no set separates at all
      return with ? Verdict::noncollider : Verdict::collider;
    case ColliderRule::majority:
      if (found.separating_with == found.separating_without) return Verdict::ambiguous;
      return found.separating_with > found.separating_without ? Verdict::noncollider : Verdict::collider;
  }
  return Verdict::ambiguous;
}

void ColliderSearch::orient(MixedGraph& graph, const Triple& triple, ColliderPriority priority,
                            std::vector<Triple>& oriented) {
  const auto& [i, mid, k] = triple;
  if (priority == ColliderPriority::bidirect) {
    for (const std::size_t arm : {i, k}) {
      if (is_undirected(graph.marks(), arm, mid)) graph.direct(arm, mid);
      else if (is_directed(graph.marks(), mid, arm)) graph.make_bidirected(arm, mid);
    }
  } else {
    const bool contradicted = is_directed(graph.marks(), mid, i) || is_directed(graph.marks(), mid, k);
    if (contradicted && priority != ColliderPriority::overwrite) return;
    graph.direct(i, mid);
    graph.direct(k, mid);
  }
  oriented.push_back(triple);
}

}  // namespace pyvalue
