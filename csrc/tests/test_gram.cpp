#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/simd.hpp"
#include "samples.hpp"

using namespace pyvalue;
using pyvalue::testing::linear_sample;
using pyvalue::testing::Sample;

namespace {

// Textbook correlation in long double, each row counted `weights[row]` times.
double naive_correlation(const Table& x, const std::vector<RowCount>& weights, std::size_t i, std::size_t j) {
  long double total = 0, mean_i = 0, mean_j = 0, ii = 0, jj = 0, ij = 0;
  for (std::size_t row = 0; row < x.rows(); ++row) {
    total += weights[row];
    mean_i += weights[row] * static_cast<long double>(x(row, i));
    mean_j += weights[row] * static_cast<long double>(x(row, j));
  }
  mean_i /= total;
  mean_j /= total;
  for (std::size_t row = 0; row < x.rows(); ++row) {
    const long double a = x(row, i) - mean_i, b = x(row, j) - mean_j;
    ii += weights[row] * a * a;
    jj += weights[row] * b * b;
    ij += weights[row] * a * b;
  }
  return static_cast<double>(ij / std::sqrt(ii * jj));
}

}  // namespace

TEST(correlation_matches_the_definition) {
  for (const std::size_t cols : {2UL, 3UL, 8UL, 17UL}) {
    for (const std::size_t rows : {4UL, 63UL, 64UL, 65UL, 500UL}) {
      Sample sample = linear_sample(rows, cols, 0.5, rows + cols);
      for (double& value : sample.values) value = 1e6 + 1e-3 * value;  // small beside its mean
      Monitor monitor;
      const SquareMatrix result = correlation(sample.view(), 1, monitor);
      const std::vector<RowCount> once(rows, 1);
      for (std::size_t i = 0; i < cols; ++i)
        for (std::size_t j = 0; j < cols; ++j)
          CHECK(std::abs(result(i, j) - (i == j ? 1.0 : naive_correlation(sample.view(), once, i, j))) < 1e-11);
    }
  }
}

TEST(strides_do_not_matter) {
  const Sample sample = linear_sample(130, 5, 0.5, 1);
  std::vector<double> transposed(sample.values.size());
  for (std::size_t row = 0; row < 130; ++row)
    for (std::size_t column = 0; column < 5; ++column) transposed[column * 130 + row] = sample.values[row * 5 + column];
  Monitor monitor;
  const SquareMatrix by_rows = correlation(sample.view(), 1, monitor);
  std::vector<Column> columns;
  for (std::size_t column = 0; column < 5; ++column)
    columns.push_back({reinterpret_cast<const std::byte*>(transposed.data() + column * 130), 8, NumberType::f64});
  const SquareMatrix by_columns = correlation(Table(130, columns), 1, monitor);
  CHECK(std::memcmp(by_rows.data(), by_columns.data(), 25 * sizeof(double)) == 0);
}

TEST(number_types_do_not_matter) {
  const std::vector<std::int8_t> small{3, -2, 7, 7, 0, 1};
  const std::vector<float> single{0.5F, 1.5F, -2.0F, 8.0F, 4.0F, 4.0F};
  const std::vector<std::uint64_t> large{1, 9, 2, 8, 3, 7};
  std::vector<double> values;
  for (std::size_t row = 0; row < 6; ++row)
    values.insert(values.end(), {static_cast<double>(small[row]), static_cast<double>(single[row]),
                                 static_cast<double>(large[row])});
  const auto bytes = [](const auto& column) { return reinterpret_cast<const std::byte*>(column.data()); };
  const Table mixed(6, {{bytes(small), 1, NumberType::i8}, {bytes(single), 4, NumberType::f32},
                        {bytes(large), 8, NumberType::u64}});
  CHECK(mixed.row_major() == nullptr);
  Monitor monitor;
  const SquareMatrix expected = correlation(Table::of(values.data(), 6, 3), 1, monitor);
  const SquareMatrix found = correlation(mixed, 1, monitor);
  CHECK(std::memcmp(expected.data(), found.data(), 9 * sizeof(double)) == 0);
  CHECK(mixed(2, 0) == 7.0 && mixed(2, 1) == -2.0 && mixed(3, 2) == 8.0);
}

TEST(correlation_is_the_same_for_any_number_of_threads) {
  const Sample sample = linear_sample(5000, 60, 0.1, 2);  // large enough to be split
  Monitor monitor;
  const SquareMatrix one = correlation(sample.view(), 1, monitor);
  for (const unsigned threads : {2U, 7U}) {
    const SquareMatrix more = correlation(sample.view(), threads, monitor);
    CHECK(std::memcmp(one.data(), more.data(), 60 * 60 * sizeof(double)) == 0);
  }
}

TEST(weights_count_rows) {
  const Sample sample = linear_sample(200, 7, 0.5, 3);
  Monitor monitor;
  const ColumnScaling scaling = scale_columns(sample.view(), monitor);
  std::vector<RowCount> counts(200);
  Resampling(200, Scheme::with_replacement, 1).draw(2, counts.data());
  GramAccumulator gram(7);
  std::vector<double> packed(GramAccumulator::block_rows * gram.padded_columns());
  for (std::size_t row = 0; row < 200; row += GramAccumulator::block_rows) {
    const std::size_t rows = std::min(GramAccumulator::block_rows, 200 - row);
    pack_rows(sample.view(), scaling, row, rows, gram.padded_columns(), packed.data());
    gram.add_weighted(packed.data(), rows, counts.data() + row);
  }
  CHECK(gram.total_weight() == 200.0);
  SquareMatrix result;
  correlation_of(gram, {6, 0, 3}, result);
  const std::size_t columns[] = {6, 0, 3};
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t b = 0; b < a; ++b)
      CHECK(std::abs(result(a, b) - naive_correlation(sample.view(), counts, columns[a], columns[b])) < 1e-13);
}

TEST(summary_counts_what_is_not_finite) {
  Sample sample = linear_sample(100, 9, 0.5, 4);
  sample.values[3 * 9 + 2] = std::nan("");
  sample.values[5 * 9 + 2] = std::nan("");
  sample.values[7 * 9 + 8] = -INFINITY;
  Monitor monitor;
  const ColumnSummary summary = summarise_columns(sample.view(), monitor);
  CHECK(summary.nan[2] == 2 && summary.nan[8] == 0);
  CHECK(summary.infinite[8] == 1 && summary.infinite[2] == 0);
  CHECK(std::isfinite(summary.min[2]) && summary.min[8] == -INFINITY);
}

TEST(every_instruction_set_gives_the_same_bits) {
  const SimdKernels* kernels[3];
  const std::size_t count = runnable_simd_kernels(kernels);
  const std::size_t width = 24, rows = 64;
  const Sample sample = linear_sample(rows, width, 0.3, 5);
  std::vector<const double*> list;
  for (std::size_t row = 0; row < rows; ++row) list.push_back(sample.values.data() + row * width);
  std::vector<double> expected;
  for (std::size_t index = 0; index < count; ++index) {
    std::vector<double> sums(width * width, 0.0);
    kernels[index]->accumulate_products(list.data(), list.data(), rows, sums.data(), width);
    std::vector<double> lower;
    for (std::size_t a = 0; a < width; ++a)
      for (std::size_t b = 0; b <= a; ++b) lower.push_back(sums[a * width + b]);
    const double* other = sample.values.data();
    std::vector<double> row(width);
    kernels[index]->downdate(other, other + width, 0.3, row.data(), width);
    lower.insert(lower.end(), row.begin(), row.end());
    kernels[index]->downdate_squares(other, other + width, 0.3, row.data(), width);
    lower.insert(lower.end(), row.begin(), row.end());
    for (const double* thresholds : {static_cast<const double*>(nullptr), other + 3 * width}) {
      std::vector<LaneMask> separated(width, 0), separators(width, 0);
      const LeafTest leaf{other, other + width, other + 2 * width, thresholds,       0.7,
                          0.2,   0.1,           0.11,              1e-3,             separated.data(),
                          separators.data()};
      lower.push_back(kernels[index]->test_leaf(leaf, width) ? 1.0 : 0.0);
      for (const LaneMask mask : separated) lower.push_back(static_cast<double>(mask));
    }
    if (index == 0) expected = lower;
    CHECK(lower.size() == expected.size());
    CHECK(std::memcmp(lower.data(), expected.data(), lower.size() * sizeof(double)) == 0);
  }
}
