// Full contingency tables of x and a few other variables. One table serves the tests of x against each of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pyvalue/coded_rows.hpp"
#include "pyvalue/contingency_kernels.hpp"

namespace pyvalue {

// Two ways to the same counts: a pass over the rows, or and-ing bit-planes.
enum class CountingRoute : std::uint8_t { rows, planes };

// Builds tables of x, a set of variables (the base) and one variable more, for one base after another. What depends on
// the base alone is computed once for all tables with it.
class ContingencyTable {
 public:
  explicit ContingencyTable(const ContingencyKernels& kernels = contingency_kernels()) : kernels_(kernels) {}

  // The rows and the base are kept by reference until the next call. Variables are columns of the rows.
  void set_base(const CodedRows& rows, std::size_t x, std::span<const std::size_t> base);

  // Whether a table of the base and this variable has so many cells that cells that occur are better listed.
  bool is_too_large_with(std::size_t variable) const;

  // The faster route unless one is given; planes need few levels.
  void count_with(std::size_t variable, std::optional<CountingRoute> route = {});

  // The strata of the last table for x against a variable given the others: 0 is the one added to the base, i + 1 is
  // base[i].
  StrataView strata(std::size_t axis) const;

  // Rough cost of one table of x, `others` variables and this many levels of each.
  static double nanoseconds(const ContingencyKernels& kernels, std::size_t rows, double levels, std::size_t others);

 private:
  bool planes_are_faster(std::size_t variable) const;
  void count_rows(std::size_t variable);
  template <class Cell>
  void count_cells(std::size_t variable, std::vector<Cell>& cell_of_row);
  const std::uint64_t* base_planes();
  void split_base_planes();
  void count_planes(std::size_t variable);
  void sum_over_x();

  const ContingencyKernels& kernels_;
  const CodedRows* rows_ = nullptr;
  std::size_t x_ = 0;
  std::span<const std::size_t> base_;
  std::size_t base_cells_ = 0;              // 0: more than any table may have
  std::size_t x_stride_ = 0;
  std::vector<std::uint16_t> small_cell_of_row_;  // of x and the base; empty until wanted
  std::vector<std::uint32_t> cell_of_row_;        // the same, where a table has more cells
  std::vector<std::uint64_t> base_planes_;  // one for every cell of the base; empty until wanted
  std::vector<std::uint32_t> base_counts_;  // of x and the base; empty until wanted
  std::vector<std::size_t> axes_;           // levels of the variables but x, slowest first
  std::vector<std::uint32_t> counts_;
  std::vector<double> totals_;
  std::vector<double> inverses_;
};

}  // namespace pyvalue
