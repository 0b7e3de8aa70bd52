// PC on resampled rows: how often each pair gets each kind of edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyvalue/monitor.hpp"
#include "pyvalue/pc.hpp"
#include "pyvalue/resampling.hpp"
#include "pyvalue/square.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

struct BootstrapOptions {
  std::size_t first_replicate = 0;
  std::size_t replicates = 0;
  EffectiveRows effective = 0.0;  // rows that the tests are told of; a replicate's statistics vary more than its rows say
  double alpha = 0.05;
  bool shuffle_columns = true;  // the order of columns decides between colliders that contradict each other
  PcOptions pc;                 // pc.threads is spent on replicates
};

// What a replicate says of a pair (i, j) with i < j.
enum class EdgeKind : std::uint8_t { absent = 0, forward = 1, backward = 2, undirected = 3, bidirected = 4, untestable = 5 };

// Counts over the replicates. Of a pair (i, j), directed(i, j) + directed(j, i) + undirected(i, j) +
// bidirected(i, j) + absent(i, j) + untestable(i, j) = replicates.
struct EdgeCounts {
  Square<std::uint32_t> directed;
  Square<std::uint32_t> undirected;
  Square<std::uint32_t> bidirected;
  Square<std::uint32_t> absent;
  Square<std::uint32_t> untestable;  // a column was constant in the replicate; the diagonal counts it by column
  std::uint64_t singular_tests = 0;

  explicit EdgeCounts(std::size_t columns);
  void add(std::size_t i, std::size_t j, EdgeKind kind);
  void merge(const EdgeCounts& other);
};

// Same counts for any number of threads: replicate r draws from its own random stream. `kinds`, if not null, gets the
// kind of every pair of every replicate, (replicates, d (d - 1) / 2) in row-major order of the upper triangle.
EdgeCounts bootstrap(const TestSource& source, const Resampling& resampling, const Knowledge& knowledge,
                     const BootstrapOptions& options, EdgeKind* kinds, Monitor& monitor);

}  // namespace pyvalue
