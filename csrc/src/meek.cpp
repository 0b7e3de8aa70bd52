#include "pyvalue/meek.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace pyvalue {

void MeekRules::apply(MixedGraph& graph, const Knowledge& knowledge) {
  start(graph, knowledge);
  bool changed = true;
  while (changed) {
    changed = apply_rule_1();
    changed = apply_rule_2() || changed;
    changed = apply_rule_3() || changed;
    changed = (!knowledge.empty() && apply_rule_4([](auto, auto, auto) { return true; })) || changed;
  }
}

// The order is fixed before the first rule. Rules only ever direct edges that are undirected now.
void MeekRules::start(MixedGraph& graph, const Knowledge& knowledge) {
  graph_ = &graph;
  knowledge_ = &knowledge;
  const std::size_t d = marks().size();
  ordered_edges_.clear();
  onward_.resize(d);
  undirected_.resize(d);
  for (std::size_t j = 0; j < d; ++j) {
    onward_[j].clear();
    undirected_[j].clear();
  }
  for (const Mark mark : {Mark::tail, Mark::arrow}) {
    for (std::size_t j = 0; j < d; ++j) {
      for (std::size_t i = 0; i < d; ++i) {
        if (marks()(j, i) == mark) ordered_edges_.emplace_back(i, j);
        if (marks()(i, j) == mark) onward_[j].push_back(i);
        if (mark == Mark::tail && is_undirected(marks(), i, j)) undirected_[j].push_back(i);
      }
    }
  }
}

bool MeekRules::orient(std::size_t from, std::size_t to) {
  if (!knowledge_->allows(from, to)) return false;
  const bool closes_a_cycle = graph_->is_recorded_ancestor(to, from);
  if (closes_a_cycle) return false;
  graph_->direct(from, to);
  return true;
}

// i --> j --- k with i, k not adjacent: j --> k.
bool MeekRules::apply_rule_1() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    if (!is_directed(marks(), i, j)) continue;
    for (const std::size_t k : undirected_[j]) {
      if (k == i || is_adjacent(marks(), i, k) || knowledge_->forbids_edge(i, k)) continue;
      if (!graph_->is_supported(i, j)) continue;
      if (is_undirected(marks(), j, k)) changed = orient(j, k) || changed;
    }
  }
  return changed;
}

// i --> j --> k with i --- k: i --> k.
bool MeekRules::apply_rule_2() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    if (!is_directed(marks(), i, j)) continue;
    for (const std::size_t k : onward_[j])
      if (is_directed(marks(), j, k) && is_undirected(marks(), i, k)) changed = orient(i, k) || changed;
  }
  return changed;
}

// i --- j --> l <-- k --- i with i --- l, and j, k not adjacent: i --> l.
bool MeekRules::apply_rule_3() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    for (const std::size_t l : onward_[j]) {
      if (!is_undirected(marks(), i, j)) break;
      if (is_directed(marks(), j, l) && is_undirected(marks(), i, l) && has_kite(i, j, l))
        changed = orient(i, l) || changed;
    }
  }
  return changed;
}

bool MeekRules::has_kite(std::size_t i, std::size_t j, std::size_t l) const {
  for (const std::size_t k : undirected_[i]) {
    if (k <= j || is_adjacent(marks(), j, k) || knowledge_->forbids_edge(j, k)) continue;
    if (is_undirected(marks(), i, k) && is_directed(marks(), k, l)) return true;
  }
  return false;
}

// i --- k --> l --> j with i --- j, i adjacent to l, and k, j not adjacent: i --> j.
bool MeekRules::apply_rule_4(const TripleFilter& may_rest_on) {
  bool changed = false;
  for (const auto& [k, l] : ordered_edges_) {
    if (!is_directed(marks(), k, l)) continue;
    for (const std::size_t j : onward_[l]) {
      if (!is_directed(marks(), l, j) || is_adjacent(marks(), k, j) || knowledge_->forbids_edge(k, j)) continue;
      for (const std::size_t i : undirected_[j])
        if (is_undirected(marks(), i, j) && is_undirected(marks(), i, k) && is_adjacent(marks(), i, l) &&
            may_rest_on(k, i, j))
          changed = orient(i, j) || changed;
    }
  }
  return changed;
}

void MeekRules::apply_definite(MixedGraph& graph, const Knowledge& knowledge, const std::vector<Triple>& colliders,
                               const std::vector<Triple>& noncolliders) {
  start(graph, knowledge);
  std::set<std::tuple<std::size_t, std::size_t, std::size_t>> is_collider, is_noncollider;
  for (const auto& [i, mid, k] : colliders) is_collider.emplace(i, mid, k);
  for (const auto& [i, mid, k] : noncolliders) is_noncollider.emplace(i, mid, k);
  const auto apply_rule_3_to_them = [&] {
    bool changed = false;
    for (const auto& [i, j] : ordered_edges_) {
      for (const std::size_t l : onward_[j]) {
        if (!is_undirected(marks(), i, l)) continue;
        for (std::size_t k = j + 1; k < marks().size(); ++k) {
          if (!is_collider.contains({j, l, k}) || !is_noncollider.contains({j, i, k})) continue;
          changed = orient(i, l) || changed;
          break;
        }
      }
    }
    return changed;
  };
  const auto apply_rule_4_to_them = [&] {
    return apply_rule_4([&](std::size_t k, std::size_t i, std::size_t j) {
      return is_noncollider.contains({std::min(k, j), i, std::max(k, j)});
    });
  };
  bool changed = true;
  while (changed) {
    changed = apply_rule_1_to(noncolliders);
    changed = apply_rule_2() || changed;
    changed = apply_rule_3_to_them() || changed;
    changed = (!knowledge.empty() && apply_rule_4_to_them()) || changed;
  }
}

// i --> j --- k or k --> j --- i, where i - j - k is known to be no collider.
bool MeekRules::apply_rule_1_to(const std::vector<Triple>& noncolliders) {
  bool changed = false;
  for (const auto& [i, j, k] : noncolliders) {
    if (is_directed(marks(), i, j) && is_undirected(marks(), j, k) && knowledge_->allows(j, k))
      changed = orient(j, k) || changed;
    else if (is_directed(marks(), k, j) && is_undirected(marks(), j, i) && knowledge_->allows(j, i))
      changed = orient(j, i) || changed;
  }
  return changed;
}

}  // namespace pyvalue
