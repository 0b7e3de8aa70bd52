// Compiled once for every instruction set, with PYVALUE_CONTINGENCY_TABLE naming the result. No header with inline
// functions may be included here: the linker could take the copy with wide instructions for the whole program. The
// compiler's own intrinsics are safe: they are never emitted as functions.
#include <cstddef>
#include <cstdint>

#include "pyvalue/contingency_kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef PYVALUE_CONTINGENCY_TABLE
#define PYVALUE_CONTINGENCY_TABLE contingency_kernels_baseline
#endif
#define PYVALUE_TEXT_OF(name) #name
#define PYVALUE_TEXT(name) PYVALUE_TEXT_OF(name)

namespace pyvalue {

extern const ContingencyKernels PYVALUE_CONTINGENCY_TABLE;

namespace {

#if defined(__AVX512VPOPCNTDQ__)

constexpr double nanoseconds_per_call = 11.0, nanoseconds_per_word = 0.027;
using Words = __m512i;

constexpr std::size_t words_at_once = 8;
Words load(const std::uint64_t* words) { return _mm512_loadu_si512(words); }
Words ones(Words words) { return _mm512_popcnt_epi64(words); }
std::uint32_t sum(Words counts) {  // with masks, since GCC 12 warns of its other ways to the halves
  const __m256i four = _mm256_add_epi64(_mm512_maskz_extracti64x4_epi64(0xF, counts, 0),
                                        _mm512_maskz_extracti64x4_epi64(0xF, counts, 1));
  const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  return static_cast<std::uint32_t>(two[0] + two[1]);
}

#elif defined(__AVX2__)

constexpr double nanoseconds_per_call = 7.0, nanoseconds_per_word = 0.17;
using Words = __m256i;
constexpr std::size_t words_at_once = 4;
Words load(const std::uint64_t* words) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)); }

// Looks up the ones of each half of a byte (Mula, Kurz & Lemire 2018).
Words ones(Words words) {
  const Words low = _mm256_set1_epi8(0x0F);
  const Words table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3,
                                       2, 3, 3, 4);
  const Words bytes = _mm256_add_epi8(_mm256_shuffle_epi8(table, words & low),
                                      _mm256_shuffle_epi8(table, _mm256_srli_epi16(words, 4) & low));
  return _mm256_sad_epu8(bytes, _mm256_setzero_si256());
}

std::uint32_t sum(Words counts) {
  return static_cast<std::uint32_t>((counts[0] + counts[1]) + (counts[2] + counts[3]));
}

#else

constexpr double nanoseconds_per_call = 8.0, nanoseconds_per_word = 1.2;
using Words = std::uint64_t;
constexpr std::size_t words_at_once = 1;
Words load(const std::uint64_t* words) { return *words; }
Words ones(Words words) { return static_cast<Words>(__builtin_popcountll(words)); }
std::uint32_t sum(Words count) { return static_cast<std::uint32_t>(count); }

#endif

// `planes` planes of x, and the rows of first & second in counts[planes].
template <std::size_t planes>
void count_some(const PlaneCounts& task, const std::uint64_t* x, std::uint32_t* counts) {
  Words total[planes + 1] = {};
  for (std::size_t word = 0; word < task.words; word += words_at_once) {
    const Words both = load(task.first + word) & load(task.second + word);
    for (std::size_t plane = 0; plane < planes; ++plane)
      total[plane] += ones(both & load(x + plane * task.words + word));
    total[planes] += ones(both);
  }
  for (std::size_t plane = 0; plane <= planes; ++plane) counts[plane] = sum(total[plane]);
}

void count_planes(const PlaneCounts& task) {
  std::uint32_t counts[5];
  std::uint32_t left = 0;
  std::size_t level = 0;
  do {
    const std::size_t planes = task.x_levels - 1 - level < 4 ? task.x_levels - 1 - level : 4;
    const std::uint64_t* x = task.x + level * task.words;
    switch (planes) {
      case 0: count_some<0>(task, x, counts); break;
      case 1: count_some<1>(task, x, counts); break;
      case 2: count_some<2>(task, x, counts); break;
      case 3: count_some<3>(task, x, counts); break;
      default: count_some<4>(task, x, counts); break;
    }
    if (level == 0) left = counts[planes];
    for (std::size_t plane = 0; plane < planes; ++plane) {
      task.counts[level + plane] = counts[plane];
      left -= counts[plane];
    }
    level += planes;
  } while (level + 1 < task.x_levels);
  task.counts[level] = left;
}

template <std::size_t width>
struct Vectors {
  typedef double Numbers __attribute__((vector_size(width * sizeof(double))));
  typedef std::int32_t Counts __attribute__((vector_size(width * sizeof(std::int32_t))));
  typedef std::int64_t Mask __attribute__((vector_size(width * sizeof(std::int64_t))));
};

#if defined(__AVX512F__)
constexpr std::size_t widest = 8;
#else
constexpr std::size_t widest = 4;  // GCC 12 takes vectors beyond the registers apart, badly so for AVX2
#endif

// A macro, since a function would pass vectors wider than the baseline's registers.
#define PYVALUE_LOAD_COUNTS(numbers, source)                                \
  do {                                                                      \
    typename Vectors<width>::Counts whole;                                  \
    __builtin_memcpy(&whole, (source), sizeof whole);                       \
    (numbers) = __builtin_convertvector(whole, decltype(numbers));          \
  } while (false)

// (count - expected)^2 / expected is d^2 / (total * row * column) with d = count * total - row * column, which is
// exact in whole numbers below 2^53. As many lanes whatever the width of a vector: they are summed in one order.
template <std::size_t lanes>
TestStatistic chi_squared_in_lanes(const StrataView& strata) {
  constexpr std::size_t width = lanes < widest ? lanes : widest;
  using Numbers = typename Vectors<width>::Numbers;
  using Mask = typename Vectors<width>::Mask;
  const std::size_t y_stride = strata.inner * strata.x_stride;
  Numbers sum[lanes / width] = {};
  double degrees_of_freedom = 0.0;
  for (std::size_t outer = 0; outer < strata.outer; ++outer) {
    for (std::size_t inner = 0; inner < strata.inner; ++inner) {
      const std::size_t first = outer * strata.y_levels * strata.inner + inner;
      double total = 0.0, y_present = 0.0;
      for (std::size_t y = 0; y < strata.y_levels; ++y) {
        const double column = strata.totals[first + y * strata.inner];
        total += column;
        y_present += column > 0.0 ? 1.0 : 0.0;
      }
      if (y_present < 2.0) continue;
      const double inverse_total = 1.0 / total;
      Mask x_present = {};
      for (std::size_t x = 0; x < strata.x_stride; x += width) {
        const std::uint32_t* counts = strata.counts + first * strata.x_stride + x;
        Numbers row = {}, of_rows = {}, count;
        for (std::size_t y = 0; y < strata.y_levels; ++y) {
          PYVALUE_LOAD_COUNTS(count, counts + y * y_stride);
          row += count;
        }
        for (std::size_t y = 0; y < strata.y_levels; ++y) {
          PYVALUE_LOAD_COUNTS(count, counts + y * y_stride);
          const Numbers difference = count * total - row * strata.totals[first + y * strata.inner];
          of_rows += difference * difference * strata.inverses[first + y * strata.inner];
        }
        const Mask present = row > 0.0;
        x_present -= present;
        sum[x % lanes / width] += of_rows * inverse_total / (present ? row : row + 1.0);
      }
      std::int64_t levels = 0;
      for (std::size_t lane = 0; lane < width; ++lane) levels += x_present[lane];
      degrees_of_freedom += static_cast<double>(levels - 1) * (y_present - 1.0);
    }
  }
  double value = 0.0;
  for (std::size_t lane = 0; lane < lanes; ++lane) value += sum[lane / width][lane % width];
  return {value, degrees_of_freedom};
}

TestStatistic chi_squared(const StrataView& strata) {
  return strata.x_stride % 8 == 0 ? chi_squared_in_lanes<8>(strata) : chi_squared_in_lanes<4>(strata);
}

}  // namespace

const ContingencyKernels PYVALUE_CONTINGENCY_TABLE = {PYVALUE_TEXT(PYVALUE_CONTINGENCY_TABLE), nanoseconds_per_call,
                                                      nanoseconds_per_word, count_planes, chi_squared};

}  // namespace pyvalue
