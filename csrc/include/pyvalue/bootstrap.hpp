// PC on bootstrap replicates: how often each pair gets each kind of edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyvalue/matrix_view.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/pc.hpp"

namespace pyvalue {

struct BootstrapOptions {
  std::size_t first_replicate = 0;
  std::size_t replicates = 0;
  std::uint64_t seed = 0;
  double effective_n = 0.0;  // rows that the test is told of; a replicate's correlation has more variance than 1/n
  PcOptions pc;              // pc.threads is spent on replicates
};

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
  void merge(const EdgeCounts& other);
};

// Same counts for any number of threads: replicate r draws from its own random stream.
EdgeCounts bootstrap(const MatrixView& table, const BootstrapOptions& options, Monitor& monitor);

}  // namespace pyvalue
