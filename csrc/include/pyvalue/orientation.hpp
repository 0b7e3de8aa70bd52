// From a skeleton to a CPDAG: unshielded colliders, then Meek's rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pyvalue/matrix_view.hpp"
#include "pyvalue/separating_sets.hpp"

namespace pyvalue {

enum class Mark : std::int8_t { none = 0, tail = -1, arrow = 1 };

// marks(i, j) is the mark at i's end of the edge between i and j: i --> j has a tail at i and an arrow at j.
using EndMarks = Square<Mark>;

inline bool is_adjacent(const EndMarks& marks, std::size_t i, std::size_t j) { return marks(i, j) != Mark::none; }
inline bool is_undirected(const EndMarks& marks, std::size_t i, std::size_t j) {
  return marks(i, j) == Mark::tail && marks(j, i) == Mark::tail;
}
inline bool is_directed(const EndMarks& marks, std::size_t from, std::size_t to) {
  return marks(from, to) == Mark::tail && marks(to, from) == Mark::arrow;
}
inline bool is_bidirected(const EndMarks& marks, std::size_t i, std::size_t j) {
  return marks(i, j) == Mark::arrow && marks(j, i) == Mark::arrow;
}

// The result is causal-learn's (uc_rule 0, uc_priority 2) mark for mark. That needs its order of triples, and its
// record of ancestors, which is not the transitive closure: a Meek step is skipped when that record says that the
// step would close a cycle.
class Orientation {
 public:
  void run(const Square<std::uint8_t>& adjacent, const SeparatingSets& sets);
  const EndMarks& marks() const { return marks_; }

 private:
  using Edge = std::pair<std::size_t, std::size_t>;

  void orient_colliders(const SeparatingSets& sets);
  void record_ancestors_of_colliders();
  void record_ancestor(std::size_t ancestor, std::size_t descendant);
  void apply_meek_rules();
  void list_edges();
  bool orient(std::size_t from, std::size_t to);
  bool apply_rule_1();
  bool apply_rule_2();
  bool apply_rule_3();
  bool has_kite(std::size_t i, std::size_t j, std::size_t l) const;

  EndMarks marks_;
  std::vector<Edge> collider_arms_;                   // in the order of orientation, with repetitions
  Square<std::uint8_t> descends_;                     // descends_(j, i): i is recorded as an ancestor of j
  std::vector<Edge> ordered_edges_;                   // (i, j) by mark at j: tails first, then by j, then by i
  std::vector<std::vector<std::size_t>> onward_;      // k beside j by mark at k: tails first, then by k
  std::vector<std::vector<std::size_t>> undirected_;  // at the start of Meek's rules
};

}  // namespace pyvalue
