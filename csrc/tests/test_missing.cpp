#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "one_replicate.hpp"
#include "pyvalue/bootstrap.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/missing_source.hpp"
#include "pyvalue/random.hpp"
#include "pyvalue/simd.hpp"
#include "samples.hpp"

using namespace pyvalue;
using pyvalue::testing::linear_sample;
using pyvalue::testing::OneReplicate;
using pyvalue::testing::Sample;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

Table table_of(const Sample& sample) { return Table::of(sample.values.data(), sample.rows, sample.cols); }

// Values go missing one by one: nearly as many patterns as rows.
Sample with_scattered_gaps(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Sample sample = linear_sample(rows, cols, 0.5, seed);
  Philox random(seed, 1);
  for (double& value : sample.values)
    if (random.below(8) == 0) value = missing;
  return sample;
}

// Pairs of columns go missing together.
Sample with_few_patterns(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Sample sample = linear_sample(rows, cols, 0.5, seed);
  Philox random(seed, 1);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column + 1 < cols; column += 2)
      if (random.below(5) == 0) sample.values[row * cols + column] = sample.values[row * cols + column + 1] = missing;
  return sample;
}

// The definition: the drawn rows that are complete, as often as they count, through the correlation and FisherZ.
double naive_p(const Sample& sample, const std::vector<RowCount>& counts, double effective_n, std::size_t x,
               std::size_t y, std::vector<std::size_t> given) {
  std::vector<std::size_t> variables{x, y};
  variables.insert(variables.end(), given.begin(), given.end());
  std::vector<double> complete;
  double total = 0.0, kept = 0.0;
  for (std::size_t row = 0; row < sample.rows; ++row) {
    total += counts[row];
    bool whole = true;
    const double* values = sample.values.data() + row * sample.cols;
    for (const std::size_t variable : variables) whole = whole && !std::isnan(values[variable]);
    for (RowCount copy = 0; whole && copy < counts[row]; ++copy, kept += 1.0)
      for (const std::size_t variable : variables) complete.push_back(values[variable]);
  }
  Monitor monitor;
  const Table table = Table::of(complete.data(), static_cast<std::size_t>(kept), variables.size());
  const FisherZ test(correlation(table, 1, monitor), kept * effective_n / total, 0.05);
  std::vector<std::size_t> rest;
  for (std::size_t index = 2; index < variables.size(); ++index) rest.push_back(index);
  FisherZ::Scratch scratch;
  return test.p_value(0, 1, rest, scratch);
}

std::vector<RowCount> drawn(std::size_t rows, std::uint64_t seed) {
  std::vector<RowCount> counts(rows);
  Resampling(rows, Scheme::with_replacement, seed).draw(0, counts.data());
  return counts;
}

}  // namespace

TEST(test_wise_deletion_matches_the_definition) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const std::size_t rows = 60 + 37 * seed, cols = 6;
    const Sample sample = seed % 2 == 0 ? with_scattered_gaps(rows, cols, seed) : with_few_patterns(rows, cols, seed);
    Monitor monitor;
    const MissingSource automatic(table_of(sample), monitor);
    const MissingSource by_row(table_of(sample), monitor, MissingSource::Method::by_row);
    CHECK(automatic.is_by_pattern() || rows > MissingPatterns::limit);
    if (seed % 2 == 1) CHECK(automatic.is_by_pattern());
    for (const bool resampled : {false, true}) {
      const std::vector<RowCount> counts = resampled ? drawn(rows, seed) : std::vector<RowCount>(rows, 1);
      const double n = static_cast<double>(rows) * (resampled ? 0.5 : 1.0);
      OneReplicate one(automatic, counts, n), other(by_row, counts, n);
      const std::vector<std::vector<std::size_t>> sets{{}, {2}, {3, 5}, {2, 3, 4}, {2, 3, 4, 5}};
      for (const auto& given : sets) {
        const double expected = naive_p(sample, counts, n, 0, 1, given);
        CHECK(std::abs(one.p(0, 1, given) - expected) < 1e-11);
        CHECK(std::abs(other.p(1, 0, given) - expected) < 1e-11);
      }
    }
  }
}

TEST(without_gaps_it_is_fisher_z) {
  const Sample sample = linear_sample(150, 7, 0.5, 3);
  Monitor monitor;
  const MissingSource source(table_of(sample), monitor);
  OneReplicate test(source, std::vector<RowCount>(150, 1), 150.0);
  const FisherZ reference(correlation(table_of(sample), 1, monitor), 150.0, 0.05);
  FisherZ::Scratch scratch;
  for (std::size_t x = 0; x < 7; ++x) {
    for (std::size_t y = 0; y < x; ++y) {
      for (std::size_t s = 0; s < 7; ++s) {
        if (s == x || s == y) continue;
        const std::size_t given[] = {s};
        CHECK(std::abs(test.p(x, y, {s}) - reference.p_value(x, y, given, scratch)) < 1e-12);
      }
    }
  }
}

TEST(tests_without_enough_rows) {
  Sample sample = linear_sample(40, 5, 0.5, 4);
  for (std::size_t row = 0; row < 40; ++row) {
    double* values = sample.values.data() + row * 5;
    if (row >= 4) values[0] = missing;      // four rows left
    values[row < 20 ? 1 : 2] = missing;     // never together
    if (row >= 20) values[3] = 0.1;         // one value where column 1 is present
  }
  for (const auto method : {MissingSource::Method::automatic, MissingSource::Method::by_row}) {
    Monitor monitor;
    const MissingSource source(table_of(sample), monitor, method);
    OneReplicate test(source, std::vector<RowCount>(40, 1), 40.0);
    CHECK(test.p(0, 4, {3}) == 1.0);  // 4 - 1 - 3
    CHECK(test.p(0, 4, {}) < 1.0);
    CHECK(std::isnan(test.p(1, 2, {})));
    CHECK(std::isnan(test.p(1, 3, {})));
    CHECK(std::isnan(test.p(1, 4, {3})));
    CHECK(!std::isnan(test.p(3, 4, {})));
  }
}

// One wild value shifts the mean of its column far from all others, and is missing from the test.
TEST(complete_rows_far_from_the_mean_of_all) {
  Sample sample = with_few_patterns(100, 4, 5);
  for (std::size_t row = 0; row < 100; ++row) sample.values[row * 4] += 1e3;
  sample.values[0] = 1e12;
  sample.values[1] = missing;
  for (const auto method : {MissingSource::Method::automatic, MissingSource::Method::by_row}) {
    Monitor monitor;
    const MissingSource source(table_of(sample), monitor, method);
    for (const bool resampled : {false, true}) {
      const std::vector<RowCount> counts = resampled ? drawn(100, 1) : std::vector<RowCount>(100, 1);
      OneReplicate test(source, counts, 100.0);
      for (const std::vector<std::size_t>& given : {std::vector<std::size_t>{}, {2}, {2, 3}})
        CHECK(std::abs(test.p(0, 1, given) - naive_p(sample, counts, 100.0, 0, 1, given)) < 1e-10);
    }
  }
}

TEST(an_infinite_value_is_refused) {
  Sample sample = linear_sample(20, 3, 0.5, 6);
  sample.values[4] = -INFINITY;
  Monitor monitor;
  bool refused = false;
  try {
    const MissingSource source(table_of(sample), monitor);
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  CHECK(refused);
}

TEST(replicates_with_gaps_are_the_same_for_any_number_of_threads) {
  for (const Sample& sample : {with_scattered_gaps(300, 8, 7), with_few_patterns(300, 8, 7)}) {
    Monitor monitor;
    const MissingSource source(table_of(sample), monitor);
    const Resampling resampling(300, Scheme::with_replacement, 1);
    BootstrapOptions options;
    options.replicates = 30;
    options.effective = 150.0;
    options.pc.threads = 1;
    const EdgeCounts one = bootstrap(source, resampling, {}, options, nullptr, monitor);
    options.pc.threads = 3;
    const EdgeCounts more = bootstrap(source, resampling, {}, options, nullptr, monitor);
    CHECK(std::memcmp(one.directed.data(), more.directed.data(), 64 * sizeof(std::uint32_t)) == 0);
    CHECK(std::memcmp(one.absent.data(), more.absent.data(), 64 * sizeof(std::uint32_t)) == 0);
  }
}

TEST(sums_over_rows_are_the_same_bits_for_every_instruction_set) {
  const SimdKernels* kernels[3];
  const std::size_t count = runnable_simd_kernels(kernels), rows = 72, columns = 11;
  Sample sample = linear_sample(columns, rows, 0.1, 8);
  std::vector<const double*> list;
  for (std::size_t column = 0; column < columns; ++column) list.push_back(sample.values.data() + column * rows);
  std::vector<double> gaps(list[0], list[0] + rows);
  gaps[3] = gaps[70] = missing;
  std::vector<double> expected;
  for (std::size_t index = 0; index < count; ++index) {
    std::vector<double> found(7 * columns, 0.0), present(rows), values(rows), products(rows);
    kernels[index]->accumulate_dots(list.data(), 7, list.data(), columns, rows, found.data());
    found.push_back(kernels[index]->split_missing(gaps.data(), list[1], rows, present.data(), values.data()));
    kernels[index]->multiply(list[1], list[2], products.data(), rows);
    for (const auto* more : {&present, &values, &products}) found.insert(found.end(), more->begin(), more->end());
    CHECK(present[2] == 1.0 && present[3] == 0.0 && values[3] == 0.0 && values[2] == gaps[2]);
    if (index == 0) expected = found;
    CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(double)) == 0);
  }
}
