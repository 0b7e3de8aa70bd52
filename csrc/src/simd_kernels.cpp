// Compiled once for every instruction set, with PYVALUE_SIMD_TABLE naming the result. No header with inline functions
// may be included here: the linker could take the copy with wide instructions for the whole program.
#include <cstddef>

#include "pyvalue/simd.hpp"

#ifndef PYVALUE_SIMD_TABLE
#define PYVALUE_SIMD_TABLE simd_kernels_baseline
#endif
#define PYVALUE_TEXT_OF(name) #name
#define PYVALUE_TEXT(name) PYVALUE_TEXT_OF(name)

namespace pyvalue {

extern const SimdKernels PYVALUE_SIMD_TABLE;

namespace {

#if defined(__AVX512F__)
constexpr std::size_t vector_width = 8, tile_rows = 8;
#elif defined(__AVX2__)
constexpr std::size_t vector_width = 4, tile_rows = 4;
#else
constexpr std::size_t vector_width = 2, tile_rows = 4;
#endif

// The sums of a tile of tile_rows x tile_columns stay in registers through all rows; 8 is a multiple of both.
constexpr std::size_t tile_vectors = vector_width == 8 ? 1 : 2;
constexpr std::size_t tile_columns = tile_vectors * vector_width;

// The one place that needs the vector extension of GCC and Clang: left to itself GCC 12 runs this loop 8 times slower.
typedef double Vector __attribute__((vector_size(vector_width * sizeof(double))));

Vector load(const double* source) {
  Vector vector;
  __builtin_memcpy(&vector, source, sizeof vector);
  return vector;
}

void store(double* target, Vector vector) { __builtin_memcpy(target, &vector, sizeof vector); }

void accumulate_tile(const double* const* left, const double* const* right, std::size_t rows, std::size_t a,
                     std::size_t b, double* sums, std::size_t width) {
  Vector local[tile_rows][tile_vectors] = {};
  for (std::size_t row = 0; row < rows; ++row) {
    const double* u = left[row] + a;
    Vector v[tile_vectors];
    for (std::size_t j = 0; j < tile_vectors; ++j) v[j] = load(right[row] + b + j * vector_width);
    for (std::size_t i = 0; i < tile_rows; ++i)
      for (std::size_t j = 0; j < tile_vectors; ++j) local[i][j] += u[i] * v[j];
  }
  for (std::size_t i = 0; i < tile_rows; ++i) {
    for (std::size_t j = 0; j < tile_vectors; ++j) {
      double* target = sums + (a + i) * width + b + j * vector_width;
      store(target, load(target) + local[i][j]);
    }
  }
}

void accumulate_products(const double* const* left, const double* const* right, std::size_t rows, double* sums,
                         std::size_t width) {
  for (std::size_t a = 0; a < width; a += tile_rows)
    for (std::size_t b = 0; b < a + tile_rows; b += tile_columns)
      accumulate_tile(left, right, rows, a, b, sums, width);
}

// Sums over rows are kept in simd_lanes parts, whatever the vectors' width: the same bits.
constexpr std::size_t lane_vectors = simd_lanes / vector_width;

double sum_lanes(const Vector (&parts)[lane_vectors]) {
  double lanes[simd_lanes];
  for (std::size_t part = 0; part < lane_vectors; ++part) store(lanes + part * vector_width, parts[part]);
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

template <std::size_t lefts, std::size_t rights>
void accumulate_dot_tile(const double* const* left, const double* const* right, std::size_t rows, double* sums,
                         std::size_t stride) {
  Vector local[lefts][rights][lane_vectors] = {};
  for (std::size_t row = 0; row < rows; row += simd_lanes) {
    for (std::size_t part = 0; part < lane_vectors; ++part) {
      Vector v[rights];
      for (std::size_t j = 0; j < rights; ++j) v[j] = load(right[j] + row + part * vector_width);
      for (std::size_t i = 0; i < lefts; ++i) {
        const Vector u = load(left[i] + row + part * vector_width);
        for (std::size_t j = 0; j < rights; ++j) local[i][j][part] += u * v[j];
      }
    }
  }
  for (std::size_t i = 0; i < lefts; ++i)
    for (std::size_t j = 0; j < rights; ++j) sums[i * stride + j] += sum_lanes(local[i][j]);
}

void accumulate_dots(const double* const* left, std::size_t lefts, const double* const* right, std::size_t rights,
                     std::size_t rows, double* sums) {
  constexpr std::size_t tile = lane_vectors == 1 ? 4 : 2;  // squared, the sums that fit the registers
  for (std::size_t i = 0; i < lefts;) {
    const bool whole = i + tile <= lefts;
    for (std::size_t j = 0; j < rights;) {
      const bool whole_right = j + tile <= rights;
      double* target = sums + i * rights + j;
      if (whole && whole_right) accumulate_dot_tile<tile, tile>(left + i, right + j, rows, target, rights);
      else if (whole) accumulate_dot_tile<tile, 1>(left + i, right + j, rows, target, rights);
      else if (whole_right) accumulate_dot_tile<1, tile>(left + i, right + j, rows, target, rights);
      else accumulate_dot_tile<1, 1>(left + i, right + j, rows, target, rights);
      j += whole_right ? tile : 1;
    }
    i += whole ? tile : 1;
  }
}

double split_missing(const double* source, const double* weights, std::size_t rows, double* present, double* values) {
  Vector squares[lane_vectors] = {};
  const Vector zero = {}, one = zero + 1.0;
  for (std::size_t row = 0; row < rows; row += simd_lanes) {
    for (std::size_t part = 0; part < lane_vectors; ++part) {
      const std::size_t at = row + part * vector_width;
      const Vector value = load(source + at);
      const Vector filled = value == value ? value : zero;
      store(present + at, value == value ? one : zero);
      store(values + at, filled);
      squares[part] += load(weights + at) * (filled * filled);
    }
  }
  return sum_lanes(squares);
}

void multiply(const double* __restrict a, const double* __restrict b, double* __restrict target, std::size_t rows) {
  for (std::size_t row = 0; row < rows; ++row) target[row] = a[row] * b[row];
}

template <bool has_thresholds>
bool test_lanes(const LeafTest& leaf, std::size_t width) {
  const double* __restrict row = leaf.row;
  const double* __restrict with_x = leaf.with_x;
  const double* __restrict variance = leaf.variance;
  const double* __restrict threshold = leaf.threshold;
  LaneMask* __restrict separated = leaf.separated;
  LaneMask* __restrict separators = leaf.separators;
  const double x_factor = leaf.x_factor, inverse = leaf.inverse;
  const double low = leaf.low, high = leaf.high, small_variance = leaf.small_variance;
  LaneMask in_doubt = 0;
  for (std::size_t y = 0; y < width; ++y) {
    const double m_xy = with_x[y] - x_factor * row[y];
    const double m_yy = variance[y] - inverse * (row[y] * row[y]);
    const double square = m_xy * m_xy;
    const LaneMask sound = -static_cast<LaneMask>(m_yy >= small_variance);
    const double scale = has_thresholds ? threshold[y] * m_yy : m_yy;
    const LaneMask below_low = -static_cast<LaneMask>(square < low * scale) & sound;
    const LaneMask below_high = -static_cast<LaneMask>(square < high * scale);
    separated[y] |= below_low;
    separators[y] |= below_low;
    in_doubt |= (below_low ^ below_high) | ~sound;
  }
  return in_doubt != 0;
}

bool test_leaf(const LeafTest& leaf, std::size_t width) {
  return leaf.threshold == nullptr ? test_lanes<false>(leaf, width) : test_lanes<true>(leaf, width);
}

void downdate(const double* __restrict source, const double* __restrict pivot, double factor,
              double* __restrict target, std::size_t width) {
  for (std::size_t y = 0; y < width; ++y) target[y] = source[y] - factor * pivot[y];
}

void downdate_squares(const double* __restrict source, const double* __restrict pivot, double factor,
                      double* __restrict target, std::size_t width) {
  for (std::size_t y = 0; y < width; ++y) target[y] = source[y] - factor * (pivot[y] * pivot[y]);
}

typedef LaneMask MaskVector __attribute__((vector_size(vector_width * sizeof(LaneMask))));

// One vector of columns stays in registers through all rows. Comparisons with NaN are false; v - v is 0 or NaN.
void summarise_vector(const double* table, std::ptrdiff_t stride, std::size_t rows, const ColumnFigures& figures,
                      std::size_t column) {
  const Vector first = load(figures.first_row + column);
  Vector min = load(figures.min + column), max = load(figures.max + column), sum = {};
  MaskVector not_finite = {};
  const double* row = table + column;
  for (std::size_t index = 0; index < rows; ++index, row += stride) {
    const Vector value = load(row);
    min = value < min ? value : min;
    max = value > max ? value : max;
    sum += value - first;
    not_finite += (value - value) != 0.0;
  }
  store(figures.min + column, min);
  store(figures.max + column, max);
  store(figures.sum_from_first + column, load(figures.sum_from_first + column) + sum);
  for (std::size_t lane = 0; lane < vector_width; ++lane) figures.not_finite[column + lane] += not_finite[lane];
}

void summarise_one(const double* table, std::ptrdiff_t stride, std::size_t rows, const ColumnFigures& figures,
                   std::size_t column) {
  const double first = figures.first_row[column];
  double min = figures.min[column], max = figures.max[column], sum = 0.0;
  LaneMask not_finite = 0;
  const double* row = table + column;
  for (std::size_t index = 0; index < rows; ++index, row += stride) {
    min = *row < min ? *row : min;
    max = *row > max ? *row : max;
    sum += *row - first;
    not_finite -= static_cast<LaneMask>((*row - *row) != 0.0);
  }
  figures.min[column] = min;
  figures.max[column] = max;
  figures.sum_from_first[column] += sum;
  figures.not_finite[column] += not_finite;
}

void summarise_rows(const double* table, std::ptrdiff_t stride, std::size_t rows, std::size_t columns,
                    const ColumnFigures& figures) {
  std::size_t column = 0;
  for (; column + vector_width <= columns; column += vector_width)
    summarise_vector(table, stride, rows, figures, column);
  for (; column < columns; ++column) summarise_one(table, stride, rows, figures, column);
}

}  // namespace

const SimdKernels PYVALUE_SIMD_TABLE = {PYVALUE_TEXT(PYVALUE_SIMD_TABLE),
                                        accumulate_products,
                                        accumulate_dots,
                                        split_missing,
                                        multiply,
                                        test_leaf,
                                        downdate,
                                        downdate_squares,
                                        summarise_rows};

}  // namespace pyvalue
