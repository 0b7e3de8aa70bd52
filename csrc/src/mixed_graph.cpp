#include "pyvalue/mixed_graph.hpp"

namespace pyvalue {

void MixedGraph::reset(const Square<std::uint8_t>& adjacent) {
  const std::size_t d = adjacent.size();
  marks_.reset(d, Mark::none);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      if (adjacent(i, j) != 0) marks_(i, j) = Mark::tail;
  unsupported_ = {};
  changes_.clear();
  is_rebuilt_ = is_recorded_ = false;
}

void MixedGraph::direct(std::size_t from, std::size_t to) { change({from, to, Mark::tail}); }

void MixedGraph::make_bidirected(std::size_t i, std::size_t j) { change({i, j, Mark::arrow}); }

void MixedGraph::change(Change change) {
  if (is_directed(marks_, change.from, change.to) || is_directed(marks_, change.to, change.from)) {
    is_rebuilt_ = true;
    rebuilt_before_ = changes_.size();
    is_recorded_ = false;
  }
  changes_.push_back(change);
  marks_(change.from, change.to) = change.from_end;
  marks_(change.to, change.from) = Mark::arrow;
  if (is_recorded_ && change.from_end == Mark::tail) record_ancestor(change.from, change.to);
}

bool MixedGraph::is_recorded_ancestor(std::size_t ancestor, std::size_t descendant) {
  if (!is_recorded_) make_record();
  return descends_(descendant, ancestor) != 0;
}

void MixedGraph::make_record() {
  const std::size_t d = marks_.size();
  descends_.reset(d, 0);
  for (std::size_t i = 0; i < d; ++i) descends_(i, i) = 1;
  if (is_rebuilt_) rebuild_record(rebuilt_before_);
  for (std::size_t step = is_rebuilt_ ? rebuilt_before_ : 0; step < changes_.size(); ++step)
    if (changes_[step].from_end == Mark::tail) record_ancestor(changes_[step].from, changes_[step].to);
  is_recorded_ = true;
}

// From the edges that were directed after the given number of changes, less the one that the next change takes away.
void MixedGraph::rebuild_record(std::size_t changes) {
  const std::size_t d = marks_.size();
  Square<std::uint8_t> directed(d, 0);
  for (std::size_t step = 0; step < changes; ++step) {
    const auto& [from, to, from_end] = changes_[step];
    directed(from, to) = from_end == Mark::tail ? 1 : 0;
    directed(to, from) = 0;
  }
  directed(changes_[changes].from, changes_[changes].to) = directed(changes_[changes].to, changes_[changes].from) = 0;
  for (std::size_t i = d; i-- > 0;) {
    for (std::size_t j = d; j-- > i + 1;) {
      if (directed(i, j) != 0) record_ancestor(i, j);
      if (directed(j, i) != 0) record_ancestor(j, i);
    }
  }
}

// The descendant inherits the ancestor's ancestors and its descendants get the ancestor, but not the ancestor's
// ancestors: not a transitive closure, and kept so for parity.
void MixedGraph::record_ancestor(std::size_t ancestor, std::size_t descendant) {
  const std::size_t d = marks_.size();
  descends_(descendant, ancestor) = 1;
  for (std::size_t k = 0; k < d; ++k) {
    if (descends_(ancestor, k) != 0) descends_(descendant, k) = 1;
    if (descends_(k, descendant) != 0) descends_(k, ancestor) = 1;
  }
}

}  // namespace pyvalue
