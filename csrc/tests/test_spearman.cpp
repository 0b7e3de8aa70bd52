#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/random.hpp"
#include "pyvalue/spearman_source.hpp"

using namespace pyvalue;

namespace {

constexpr std::size_t cols = 4;

// Column 0 has 3 levels, column 1 some 1,000, column 2 one value a row, column 3 follows column 2.
std::vector<double> sample(std::size_t rows) {
  Philox random(1, 0);
  std::vector<double> values;
  for (std::size_t row = 0; row < rows; ++row) {
    const double any = random.next() / 4294967296.0;
    values.insert(values.end(), {static_cast<double>(random.next() % 3), static_cast<double>(random.next() % 1000),
                                 any, any + 0.5 * static_cast<double>(random.next() % 2)});
  }
  return values;
}

// Mid-ranks and their correlation by the definition, each row counted as often as it is drawn.
double naive_coefficient(const std::vector<double>& values, const std::vector<RowCount>& counts, std::size_t i,
                         std::size_t j) {
  const auto rank = [&](std::size_t row, std::size_t column) {
    long double below = 0, equal = 0;
    for (std::size_t other = 0; other < counts.size(); ++other) {
      const double value = values[other * cols + column], own = values[row * cols + column];
      below += value < own ? counts[other] : 0;
      equal += value == own ? counts[other] : 0;
    }
    return below + 0.5L * (equal + 1);
  };
  long double total = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t row = 0; row < counts.size(); ++row) {
    const long double x = rank(row, i), y = rank(row, j), weight = counts[row];
    total += weight;
    a += weight * x;
    b += weight * y;
    aa += weight * x * x;
    bb += weight * y * y;
    ab += weight * x * y;
  }
  const long double rho = (ab - a * b / total) / std::sqrt((aa - a * a / total) * (bb - b * b / total));
  return static_cast<double>(2 * std::sin(std::numbers::pi_v<long double> / 6 * rho));
}

}  // namespace

TEST(ranks_are_those_of_the_drawn_rows) {
  constexpr std::size_t rows = 330;
  const std::vector<double> values = sample(rows);
  Monitor monitor;
  const SpearmanSource source(Table::of(values.data(), rows, cols), monitor);
  std::vector<RowCount> counts(rows);
  for (const std::uint64_t replicate : {0, 1, 2}) {
    Resampling(rows, Scheme::with_replacement, 5).draw(replicate, counts.data());
    const SquareMatrix result = source.correlation(counts.data(), monitor);
    for (std::size_t i = 0; i < cols; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        CHECK(std::abs(result(i, j) - (i == j ? 1.0 : naive_coefficient(values, counts, i, j))) < 1e-13);
  }
}

TEST(a_column_of_one_drawn_value_has_no_rank_correlation) {
  const std::vector<double> values = {1, 5, 1, 6, 1, 4, 2, 9};  // (4, 2)
  Monitor monitor;
  const SpearmanSource source(Table::of(values.data(), 4, 2), monitor);
  const auto replicator = source.make_replicator(4.0, 0.05);
  const std::vector<RowCount> without_last = {1, 1, 2, 0}, one_row = {0, 3, 0, 0}, no_row = {0, 0, 0, 0};
  replicator->load({without_last.data()}, monitor);
  CHECK(replicator->is_constant(0, 0) && !replicator->is_constant(0, 1));
  for (const auto* counts : {&one_row, &no_row}) {
    replicator->load({counts->data()}, monitor);
    CHECK(replicator->is_constant(0, 0) && replicator->is_constant(0, 1));
  }
}

TEST(columns_of_a_test_come_in_the_order_asked_for) {
  constexpr std::size_t rows = 100;
  const std::vector<double> values = sample(rows);
  Monitor monitor;
  const SpearmanSource source(Table::of(values.data(), rows, cols), monitor);
  const std::vector<RowCount> once(rows, 1);
  const SquareMatrix all = source.correlation(once.data(), monitor);
  const auto replicator = source.make_replicator(100.0, 0.05);
  replicator->load({once.data()}, monitor);
  const auto& test = dynamic_cast<const FisherZ&>(replicator->test(0, {3, 0}));
  CHECK(test.variables() == 2 && test.correlation()(0, 1) == all(3, 0));
}

TEST(nan_has_no_rank) {
  const std::vector<double> values = {1, 2, std::numeric_limits<double>::quiet_NaN(), 4};
  Monitor monitor;
  bool caught = false;
  try {
    SpearmanSource source(Table::of(values.data(), 2, 2), monitor);
  } catch (const std::invalid_argument&) {
    caught = true;
  }
  CHECK(caught);
}
