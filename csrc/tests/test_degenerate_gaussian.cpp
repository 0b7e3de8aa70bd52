#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "one_replicate.hpp"
#include "pyvalue/bootstrap.hpp"
#include "pyvalue/degenerate_gaussian_source.hpp"
#include "pyvalue/random.hpp"
#include "pyvalue/special_functions.hpp"
#include "samples.hpp"

using namespace pyvalue;
using pyvalue::testing::linear_sample;
using pyvalue::testing::OneReplicate;
using pyvalue::testing::Sample;

namespace {

using Set = std::vector<std::size_t>;

const Set mixed_levels{0, 3, 0, 2, 4, 0};

Table table_of(const Sample& sample) { return Table::of(sample.values.data(), sample.rows, sample.cols); }

// Columns 1, 3 and 4 of a linear model, cut into levels.
Sample mixed_sample(std::size_t rows, std::uint64_t seed) {
  Sample sample = linear_sample(rows, 6, 0.5, seed);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < 6; ++column) {
      double& value = sample.values[row * 6 + column];
      const auto levels = static_cast<double>(mixed_levels[column]);
      if (levels > 0.0) value = std::min(levels - 1.0, std::max(0.0, std::floor(value + 0.5 * levels)));
    }
  }
  return sample;
}

// log |covariance| of embedded columns (rows, columns) in long double, by Gauss without pivots.
long double log_determinant(const std::vector<std::vector<long double>>& columns) {
  const std::size_t size = columns.size();
  std::vector<std::vector<long double>> matrix(size, std::vector<long double>(size, 0));
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j)
      for (std::size_t row = 0; row < columns[i].size(); ++row) matrix[i][j] += columns[i][row] * columns[j][row];
  long double sum = 0;
  for (std::size_t k = 0; k < size; ++k) {
    sum += std::log(matrix[k][k]);
    for (std::size_t i = k + 1; i < size; ++i)
      for (std::size_t j = size; j-- > k;) matrix[i][j] -= matrix[i][k] * matrix[k][j] / matrix[k][k];
  }
  return sum;
}

// The definition, where every level occurs and no column determines another; the first level has no indicator.
double naive_p(const Sample& sample, const Set& levels, std::size_t x, std::size_t y, const Set& given) {
  const auto embed = [&](const Set& variables) {
    std::vector<std::vector<long double>> columns;
    for (const std::size_t variable : variables) {
      for (std::size_t level = 1; level < std::max<std::size_t>(2, levels[variable]); ++level) {
        std::vector<long double> column(sample.rows);
        long double mean = 0;
        for (std::size_t row = 0; row < sample.rows; ++row) {
          const double value = sample.values[row * sample.cols + variable];
          column[row] = levels[variable] == 0 ? value : (value == static_cast<double>(level) ? 1.0 : 0.0);
          mean += column[row] / static_cast<long double>(sample.rows);
        }
        for (long double& value : column) value -= mean;
        columns.push_back(column);
      }
    }
    return columns;
  };
  const auto with = [&](Set set, std::initializer_list<std::size_t> more) {
    set.insert(set.end(), more);
    return embed(set);
  };
  const long double log_lambda = log_determinant(with(given, {x, y})) + log_determinant(embed(given)) -
                                 log_determinant(with(given, {x})) - log_determinant(with(given, {y}));
  const auto of_x = static_cast<double>(embed({x}).size()), of_y = static_cast<double>(embed({y}).size());
  const double factor = static_cast<double>(sample.rows) - static_cast<double>(embed(given).size()) - 1.0 -
                        (of_x + of_y + 1.0) / 2.0;
  return chi_squared_upper_tail(-factor * static_cast<double>(log_lambda), of_x * of_y);
}

std::vector<RowCount> once(std::size_t rows) { return std::vector<RowCount>(rows, 1); }

}  // namespace

TEST(wilks_lambda_matches_determinants) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Sample sample = mixed_sample(300, seed);
    Monitor monitor;
    const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
    OneReplicate test(source, once(300), 300.0);
    for (std::size_t x = 0; x < 6; ++x) {
      for (std::size_t y = x + 1; y < 6; ++y) {
        Set others;
        for (std::size_t s = 0; s < 6; ++s)
          if (s != x && s != y) others.push_back(s);
        for (const Set& given : {Set{}, Set{others[0]}, Set{others[1], others[2]}, others}) {
          const double p = test.p(x, y, given);
          CHECK(std::abs(p - naive_p(sample, mixed_levels, x, y, given)) < 1e-9);
          CHECK(p == test.p(y, x, given));
        }
      }
    }
  }
}

// A replicate is the same as a table of the drawn rows, also where a level is in none of them.
TEST(a_level_that_no_drawn_row_holds_is_no_dimension) {
  const Sample sample = mixed_sample(120, 1);
  std::vector<RowCount> counts(120);
  Resampling(120, Scheme::with_replacement, 3).draw(0, counts.data());
  Sample copy{0, 6, {}};
  for (std::size_t row = 0; row < 120; ++row) {
    if (sample.values[row * 6 + 4] == 2.0 || sample.values[row * 6 + 1] == 1.0) counts[row] = 0;
    for (RowCount count = 0; count < counts[row]; ++count, ++copy.rows)
      copy.values.insert(copy.values.end(), sample.values.begin() + static_cast<std::ptrdiff_t>(row * 6),
                         sample.values.begin() + static_cast<std::ptrdiff_t>(row * 6 + 6));
  }
  Monitor monitor;
  const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
  const DegenerateGaussianSource drawn(table_of(copy), mixed_levels, monitor);
  OneReplicate test(source, counts, 60.0), reference(drawn, once(copy.rows), 60.0);
  for (std::size_t x = 0; x < 6; ++x) {
    for (std::size_t y = x + 1; y < 6; ++y) {
      CHECK(std::abs(test.p(x, y, {}) - reference.p(x, y, {})) < 1e-9);
      const std::size_t s = (y + 1) % 6;
      if (s != x) CHECK(std::abs(test.p(x, y, {s}) - reference.p(x, y, {s})) < 1e-9);
    }
  }
}

TEST(what_the_set_determines_is_independent_of_all) {
  Sample sample = mixed_sample(200, 2);
  for (std::size_t row = 0; row < 200; ++row) {
    double* values = sample.values.data() + row * 6;
    values[3] = values[4] >= 2.0 ? 1.0 : 0.0;  // level of 4 determines 3
    values[5] = 2.0 * values[0] - values[2];
  }
  Monitor monitor;
  const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
  OneReplicate test(source, once(200), 200.0);
  CHECK(test.p(3, 0, {4}) == 1.0);
  CHECK(test.p(1, 5, {0, 2}) == 1.0);
  CHECK(test.p(3, 4, {}) < 1e-20);
  CHECK(test.p(0, 5, {2}) < 1e-20);
  CHECK(test.p(3, 4, {0, 1}) < 1e-20);
  // A set that says one thing twice has no more dimensions.
  CHECK(std::abs(test.p(0, 1, {4}) - test.p(0, 1, {3, 4})) < 1e-9);
}

TEST(columns_of_one_drawn_level_are_constant) {
  const Sample sample = mixed_sample(100, 3);
  std::vector<RowCount> counts(100);
  for (std::size_t row = 0; row < 100; ++row) counts[row] = sample.values[row * 6 + 1] == 1.0 ? 2 : 0;
  Monitor monitor;
  const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
  OneReplicate test(source, counts, 50.0);
  for (std::size_t column = 0; column < 6; ++column) CHECK(test.replicator->is_constant(0, column) == (column == 1));
  CHECK(test.p(0, 1, {}) == 1.0);
}

// A sweep keeps the factor of the last set, and must not keep it for another replicate.
TEST(a_sweep_answers_as_a_fresh_one) {
  const Sample sample = mixed_sample(150, 4);
  Monitor monitor;
  const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
  OneReplicate test(source, once(150), 150.0);
  const std::vector<Set> sets{{2, 3}, {2, 3, 4}, {2, 4}, {}, {3}, {3, 5}, {2, 3, 4, 5}, {2, 3}};
  for (std::uint64_t replicate = 0; replicate < 3; ++replicate) {
    Resampling(150, Scheme::with_replacement, 1).draw(replicate, test.counts.data());
    test.load();
    for (const Set& given : sets) CHECK(test.p(0, 1, given) == test.test->make_sweep()->p_value(0, 1, given));
  }
}

TEST(values_that_are_no_codes_are_refused) {
  const auto is_refused = [](double value, Set levels) {
    Sample sample = mixed_sample(50, 5);
    sample.values[7 * 6 + 1] = value;
    Monitor monitor;
    try {
      const DegenerateGaussianSource source(table_of(sample), std::move(levels), monitor);
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  for (const double value : {3.0, -1.0, 0.5, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK(is_refused(value, mixed_levels));
  CHECK(!is_refused(2.0, mixed_levels));
  CHECK(is_refused(2.0, {0, 3, 0, 2, 4}));
  CHECK(is_refused(std::nan(""), Set(6, 0)));
}

TEST(mixed_replicates_are_the_same_for_any_number_of_threads) {
  const Sample sample = mixed_sample(200, 6);
  Monitor monitor;
  const DegenerateGaussianSource source(table_of(sample), mixed_levels, monitor);
  const Resampling resampling(200, Scheme::with_replacement, 1);
  BootstrapOptions options;
  options.replicates = 100;
  options.effective = 100.0;
  options.pc.threads = 1;
  const EdgeCounts one = bootstrap(source, resampling, {}, options, nullptr, monitor);
  options.pc.threads = 3;
  const EdgeCounts more = bootstrap(source, resampling, {}, options, nullptr, monitor);
  CHECK(std::memcmp(one.directed.data(), more.directed.data(), 36 * sizeof(std::uint32_t)) == 0);
  CHECK(std::memcmp(one.absent.data(), more.absent.data(), 36 * sizeof(std::uint32_t)) == 0);
}
