// The inner loops of contingency tables, compiled once for every instruction set and chosen when the program runs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyvalue {

// Bit-planes are padded to this many words.
constexpr std::size_t plane_padding = 8;

// The counts of one variable are padded to whole vectors, of 4 where they fit.
constexpr std::size_t pad_counts(std::size_t levels) { return levels <= 4 ? 4 : (levels + 7) / 8 * 8; }

// Counts of x in the rows of two planes.
struct PlaneCounts {
  const std::uint64_t* first;
  const std::uint64_t* second;
  const std::uint64_t* x;  // (x_levels, words)
  std::size_t x_levels;
  std::size_t words;
  std::uint32_t* counts;  // (x_levels,), the last level is what the others leave
};

// A table seen as strata of x by y: counts (outer, y_levels, inner, x_stride), where a pair of outer and inner is a
// stratum, and x_stride = pad_counts(levels of x), with zeros beyond.
struct StrataView {
  const std::uint32_t* counts;
  const double* totals;    // over x, (outer, y_levels, inner)
  const double* inverses;  // of the totals, 0 of 0
  std::size_t outer, y_levels, inner, x_stride;
};

// A test statistic and its degrees of freedom: a level of x or y that a stratum lacks counts nothing there.
struct TestStatistic {
  double value;
  double degrees_of_freedom;
};

// Every set of kernels gives the same bits: no reassociation, no fused multiply-add.
struct ContingencyKernels {
  const char* name;
  // Of count_planes, by a fit to 1,000 and 10,000 rows on one processor (EPYC 9005).
  double nanoseconds_per_call;
  double nanoseconds_per_word;  // and level of x

  void (*count_planes)(const PlaneCounts& task);
  TestStatistic (*chi_squared)(const StrataView& strata);
};

// The fastest that this processor can run, and the number of them that it can run, fastest first.
const ContingencyKernels& contingency_kernels();
std::size_t runnable_contingency_kernels(const ContingencyKernels* (&kernels)[3]);

}  // namespace pyvalue
