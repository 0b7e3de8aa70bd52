// The inner loops, compiled once for every instruction set and chosen when the program runs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyvalue {

// Masks are as wide as doubles: they stay in the lanes that were compared. 0 or -1.
using LaneMask = std::int64_t;

// All rows are padded to whole vectors of the widest instruction set.
constexpr std::size_t simd_lanes = 8;
constexpr std::size_t pad_to_lanes(std::size_t size) { return (size + simd_lanes - 1) / simd_lanes * simd_lanes; }

// One leaf of a ConditioningSweep: x against every lane y given one member more, all arrays (width,).
struct LeafTest {
  const double* row;       // covariance of the member with y
  const double* with_x;    // covariance of x with y
  const double* variance;  // of y
  const double* threshold; // of the lane's r^2, or null where low and high hold it for all
  double x_factor;         // cov(x, member) / var(member)
  double inverse;          // 1 / var(member)
  double low;              // independent if cov(x, y | S)^2 is below low * var(y | S)
  double high;             // in doubt between low and high,
  double small_variance;   // and where var(y | S) is below this
  LaneMask* separated;     // or-ed with the decisions
  LaneMask* separators;
};

// Running figures of every column, all arrays (columns,). min and max pass over NaN.
struct ColumnFigures {
  const double* first_row;
  double* min;
  double* max;
  double* sum_from_first;
  LaneMask* not_finite;  // minus the count of NaN and infinities
};

// Every set of kernels gives the same bits: no reassociation, no fused multiply-add.
struct SimdKernels {
  const char* name;

  // sums[a, b] += sum over rows of left[row][a] * right[row][b] for a >= b (and some of the rest), (width, width).
  void (*accumulate_products)(const double* const* left, const double* const* right, std::size_t rows, double* sums,
                              std::size_t width);

  // Of columns, padded with zeros to whole lanes:
  // sums[i, j] += sum over rows of left[i][row] * right[j][row]; sums (lefts, rights)
  void (*accumulate_dots)(const double* const* left, std::size_t lefts, const double* const* right, std::size_t rights,
                          std::size_t rows, double* sums);

  // Splits a column, padded with zeros, into 1 or 0 for present or missing (NaN), and its values with 0 for missing.
  // Returns the sum of weight * value^2.
  double (*split_missing)(const double* source, const double* weights, std::size_t rows, double* present,
                          double* values);

  // target = a * b, (rows,)
  void (*multiply)(const double* a, const double* b, double* target, std::size_t rows);

  // Returns whether any lane is in doubt; such lanes are not recorded as separated.
  bool (*test_leaf)(const LeafTest& leaf, std::size_t width);

  // target = source - factor * pivot, (width,)
  void (*downdate)(const double* source, const double* pivot, double factor, double* target, std::size_t width);

  // target = source - factor * pivot^2, (width,)
  void (*downdate_squares)(const double* source, const double* pivot, double factor, double* target,
                           std::size_t width);

  // Takes more rows into the figures, any number of columns; rows lie `stride` doubles apart.
  void (*summarise_rows)(const double* table, std::ptrdiff_t stride, std::size_t rows, std::size_t columns,
                         const ColumnFigures& figures);
};

// The fastest that this processor can run, and the number of them that it can run, fastest first.
const SimdKernels& simd_kernels();
std::size_t runnable_simd_kernels(const SimdKernels* (&kernels)[3]);

}  // namespace pyvalue
