#include "pyvalue/orientation.hpp"

#include <array>

namespace pyvalue {

void Orientation::run(const Square<std::uint8_t>& adjacent, const SeparatingSets& sets) {
  const std::size_t d = adjacent.size();
  marks_.reset(d, Mark::none);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      if (adjacent(i, j) != 0) marks_(i, j) = Mark::tail;
  orient_colliders(sets);
  record_ancestors_of_colliders();
  apply_meek_rules();
}

// i --> mid <-- k for every unshielded triple whose middle separates nothing, in the order (mid, i, k). A collider
// that an arrow out of its middle contradicts is left out: the first one found has priority.
void Orientation::orient_colliders(const SeparatingSets& sets) {
  const std::size_t d = marks_.size();
  collider_arms_.clear();
  std::vector<std::size_t> neighbours;
  for (std::size_t mid = 0; mid < d; ++mid) {
    neighbours.clear();
    for (std::size_t i = 0; i < d; ++i)
      if (is_adjacent(marks_, mid, i)) neighbours.push_back(i);
    for (std::size_t a = 0; a < neighbours.size(); ++a) {
      for (std::size_t b = a + 1; b < neighbours.size(); ++b) {
        const std::size_t i = neighbours[a], k = neighbours[b];
        if (is_adjacent(marks_, i, k) || sets.contains(i, k, mid)) continue;
        if (is_directed(marks_, mid, i) || is_directed(marks_, mid, k)) continue;
        for (const std::size_t arm : {i, k}) {
          collider_arms_.emplace_back(arm, mid);
          marks_(mid, arm) = Mark::arrow;
        }
      }
    }
  }
}

// The reference orients an arm anew for every collider that it belongs to, and then rebuilds its record of ancestors
// from the edges directed so far. Only the last rebuild matters, because nothing reads the record in between.
void Orientation::record_ancestors_of_colliders() {
  const std::size_t d = marks_.size();
  descends_.reset(d, 0);
  for (std::size_t i = 0; i < d; ++i) descends_(i, i) = 1;

  Square<std::uint8_t> directed(d, 0);
  std::size_t last_repetition = collider_arms_.size();
  for (std::size_t step = 0; step < collider_arms_.size(); ++step) {
    auto& known = directed(collider_arms_[step].first, collider_arms_[step].second);
    if (known != 0) last_repetition = step;
    known = 1;
  }

  std::size_t next = 0;
  if (last_repetition < collider_arms_.size()) {
    directed.reset(d, 0);
    for (std::size_t step = 0; step < last_repetition; ++step)
      directed(collider_arms_[step].first, collider_arms_[step].second) = 1;
    directed(collider_arms_[last_repetition].first, collider_arms_[last_repetition].second) = 0;
    for (std::size_t i = d; i-- > 0;) {
      for (std::size_t j = d; j-- > i + 1;) {
        if (directed(i, j) != 0) record_ancestor(i, j);
        if (directed(j, i) != 0) record_ancestor(j, i);
      }
    }
    next = last_repetition;
  }
  for (; next < collider_arms_.size(); ++next) record_ancestor(collider_arms_[next].first, collider_arms_[next].second);
}

// The descendant inherits the ancestor's ancestors and its descendants get the ancestor, but not the ancestor's
// ancestors: not a transitive closure, and kept so for parity.
void Orientation::record_ancestor(std::size_t ancestor, std::size_t descendant) {
  const std::size_t d = marks_.size();
  descends_(descendant, ancestor) = 1;
  for (std::size_t k = 0; k < d; ++k) {
    if (descends_(ancestor, k) != 0) descends_(descendant, k) = 1;
    if (descends_(k, descendant) != 0) descends_(k, ancestor) = 1;
  }
}

void Orientation::apply_meek_rules() {
  list_edges();
  bool changed = true;
  while (changed) {
    changed = apply_rule_1();
    changed = apply_rule_2() || changed;
    changed = apply_rule_3() || changed;
  }
}

// The order is fixed before the first rule. Rules only ever direct edges that are undirected now.
void Orientation::list_edges() {
  const std::size_t d = marks_.size();
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
        if (marks_(j, i) == mark) ordered_edges_.emplace_back(i, j);
        if (marks_(i, j) == mark) onward_[j].push_back(i);
        if (mark == Mark::tail && is_undirected(marks_, i, j)) undirected_[j].push_back(i);
      }
    }
  }
}

bool Orientation::orient(std::size_t from, std::size_t to) {
  const bool closes_a_cycle = descends_(from, to) != 0;
  if (closes_a_cycle) return false;
  marks_(to, from) = Mark::arrow;
  record_ancestor(from, to);
  return true;
}

// i --> j --- k with i, k not adjacent: j --> k.
bool Orientation::apply_rule_1() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    if (!is_directed(marks_, i, j)) continue;
    for (const std::size_t k : undirected_[j])
      if (k != i && !is_adjacent(marks_, i, k) && is_undirected(marks_, j, k)) changed = orient(j, k) || changed;
  }
  return changed;
}

// i --> j --> k with i --- k: i --> k.
bool Orientation::apply_rule_2() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    if (!is_directed(marks_, i, j)) continue;
    for (const std::size_t k : onward_[j])
      if (is_directed(marks_, j, k) && is_undirected(marks_, i, k)) changed = orient(i, k) || changed;
  }
  return changed;
}

// i --- j --> l <-- k --- i with i --- l, and j, k not adjacent: i --> l.
bool Orientation::apply_rule_3() {
  bool changed = false;
  for (const auto& [i, j] : ordered_edges_) {
    for (const std::size_t l : onward_[j]) {
      if (!is_undirected(marks_, i, j)) break;
      if (is_directed(marks_, j, l) && is_undirected(marks_, i, l) && has_kite(i, j, l))
        changed = orient(i, l) || changed;
    }
  }
  return changed;
}

bool Orientation::has_kite(std::size_t i, std::size_t j, std::size_t l) const {
  for (const std::size_t k : undirected_[i])
    if (k > j && !is_adjacent(marks_, j, k) && is_undirected(marks_, i, k) && is_directed(marks_, k, l)) return true;
  return false;
}

}  // namespace pyvalue
