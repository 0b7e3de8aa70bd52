// A graph whose edges get their ends one after the other, with causal-learn's record of ancestors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pyvalue/square.hpp"

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

// Parity with causal-learn needs its record of ancestors literally. It is not the transitive closure, and it is
// rebuilt, with another result, whenever an edge that has a direction gets one anew. The rebuilds cost far more than
// everything else, and nothing reads the record before Meek's rules: the changes are kept in a list, and the record is
// made from the last rebuild on when it is first read.
class MixedGraph {
 public:
  void reset(const Square<std::uint8_t>& adjacent);

  const EndMarks& marks() const { return marks_; }

  // Edges that stay against the data. What is independent beside them says nothing of the variables between.
  void set_unsupported(const Square<std::uint8_t>& unsupported) { unsupported_ = unsupported; }
  bool is_supported(std::size_t i, std::size_t j) const { return unsupported_.size() == 0 || unsupported_(i, j) == 0; }

  // Whatever ends the edge had.
  void direct(std::size_t from, std::size_t to);
  void make_bidirected(std::size_t i, std::size_t j);

  bool is_recorded_ancestor(std::size_t ancestor, std::size_t descendant);

 private:
  struct Change {
    std::size_t from, to;
    Mark from_end;  // the end at `to` is an arrow
  };

  void change(Change change);
  void make_record();
  void rebuild_record(std::size_t changes);
  void record_ancestor(std::size_t ancestor, std::size_t descendant);

  EndMarks marks_;
  Square<std::uint8_t> unsupported_;  // or empty
  std::vector<Change> changes_;
  std::size_t rebuilt_before_ = 0;  // the record was last rebuilt when this change took the edge's old direction away
  bool is_rebuilt_ = false;
  bool is_recorded_ = false;
  Square<std::uint8_t> descends_;  // descends_(j, i): i is recorded as an ancestor of j
};

}  // namespace pyvalue
