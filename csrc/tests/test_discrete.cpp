#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "pyvalue/contingency_table.hpp"
#include "pyvalue/discrete_source.hpp"
#include "pyvalue/discrete_test.hpp"
#include "pyvalue/random.hpp"
#include "pyvalue/special_functions.hpp"
#include "pyvalue/stratified_rows.hpp"

using namespace pyvalue;

namespace {

using Kind = DiscreteStatistic::Kind;

struct CodedSample {
  std::vector<std::size_t> levels;
  std::vector<double> values;  // row after row
  CodedColumns columns;
  CodedRows rows;

  CodedSample(std::size_t n, std::vector<std::size_t> of_columns, std::uint64_t seed)
      : levels(std::move(of_columns)), values(draw(n, levels, seed)), columns(coded(n, levels, values)), rows(columns) {
    Monitor monitor;
    const std::vector<RowCount> once(n, 1);
    rows.load(once.data(), monitor);
  }

  static std::vector<double> draw(std::size_t n, const std::vector<std::size_t>& levels, std::uint64_t seed) {
    Philox random(seed, 0);
    std::vector<double> values;
    for (std::size_t row = 0; row < n; ++row) {
      std::uint32_t previous = 0;
      for (const std::size_t count : levels) {
        const auto bound = static_cast<std::uint32_t>(count);
        // Half of the rows follow the column before; low codes are the more frequent ones.
        const std::uint32_t code = random.below(2) == 0 ? previous % bound : random.below(1 + random.below(bound));
        values.push_back(previous = code);
      }
    }
    return values;
  }

  static CodedColumns coded(std::size_t n, const std::vector<std::size_t>& levels, const std::vector<double>& values) {
    Monitor monitor;
    return {Table::of(values.data(), n, levels.size()), levels, monitor};
  }
};

// The definitions, with a map in place of a table.
TestStatistic naive_statistic(const CodedRows& rows, std::size_t x, std::size_t y,
                              const std::vector<std::size_t>& given, Kind kind) {
  using Cells = std::map<std::pair<Code, Code>, double>;
  std::map<std::vector<Code>, Cells> strata;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    std::vector<Code> stratum;
    for (const std::size_t variable : given) stratum.push_back(rows.codes(variable)[row]);
    strata[stratum][{rows.codes(x)[row], rows.codes(y)[row]}] += 1.0;
  }
  TestStatistic result{0.0, 0.0};
  for (auto& [stratum, cells] : strata) {
    std::map<Code, double> of_x, of_y;
    double total = 0.0;
    for (const auto& [cell, count] : cells) {
      of_x[cell.first] += count;
      of_y[cell.second] += count;
      total += count;
    }
    for (const auto& [a, row] : of_x) {
      for (const auto& [b, column] : of_y) {
        const double expected = row * column / total;
        const auto found = cells.find({a, b});
        const double count = found == cells.end() ? 0.0 : found->second;
        if (kind == Kind::chi_squared) result.value += (count - expected) * (count - expected) / expected;
        else if (count > 0.0) result.value += 2.0 * count * std::log(count / expected);
      }
    }
    result.degrees_of_freedom += static_cast<double>((of_x.size() - 1) * (of_y.size() - 1));
  }
  return result;
}

bool is_close(const TestStatistic& a, const TestStatistic& b, std::size_t rows) {
  const double tolerance = 1e-12 * b.value + 1e-14 * static_cast<double>(rows);
  return a.degrees_of_freedom == b.degrees_of_freedom && std::abs(a.value - b.value) <= tolerance;
}

std::vector<const ContingencyKernels*> every_instruction_set() {
  const ContingencyKernels* kernels[3];
  const std::size_t count = runnable_contingency_kernels(kernels);
  return {kernels, kernels + count};
}

}  // namespace

TEST(both_routes_count_what_the_definition_counts) {
  for (const std::size_t n : {1UL, 63UL, 64UL, 65UL, 1000UL}) {
    for (std::size_t most = 1; most <= 9; ++most) {
      const CodedSample sample(n, {most, 1 + most / 2, most, 10 - most}, n + most);
      for (const std::vector<std::size_t>& base : {std::vector<std::size_t>{}, {2}, {2, 3}, {3, 2}}) {
        for (const Kind kind : {Kind::chi_squared, Kind::g_squared}) {
          for (const auto* kernels : every_instruction_set()) {
            DiscreteStatistic statistic(kind, *kernels);
            statistic.prepare(n);
            for (const CountingRoute route : {CountingRoute::rows, CountingRoute::planes}) {
              ContingencyTable table(*kernels);
              table.set_base(sample.rows, 0, base);
              CHECK(!table.is_too_large_with(1));
              table.count_with(1, route);
              CHECK(is_close(statistic.of(table.strata(0)), naive_statistic(sample.rows, 0, 1, base, kind), n));
              for (std::size_t index = 0; index < base.size(); ++index) {
                std::vector<std::size_t> given = base;
                given[index] = 1;
                CHECK(is_close(statistic.of(table.strata(index + 1)),
                               naive_statistic(sample.rows, 0, base[index], given, kind), n));
              }
            }
          }
        }
      }
    }
  }
}

TEST(contingency_tables_are_the_same_for_every_instruction_set_and_route) {
  for (const std::size_t n : {63UL, 64UL, 65UL, 1000UL}) {
    const CodedSample sample(n, {9, 5, 3, 4}, n);
    const std::vector<std::size_t> base{1, 2};
    std::vector<std::uint32_t> expected_counts;
    std::vector<double> expected;
    for (const auto* kernels : every_instruction_set()) {
      for (const CountingRoute route : {CountingRoute::rows, CountingRoute::planes}) {
        ContingencyTable table(*kernels);
        table.set_base(sample.rows, 0, base);
        table.count_with(3, route);
        const StrataView view = table.strata(0);
        const std::vector<std::uint32_t> counts(view.counts, view.counts + 4 * 5 * 3 * view.x_stride);
        std::vector<double> values;
        for (std::size_t axis = 0; axis < 3; ++axis) values.push_back(kernels->chi_squared(table.strata(axis)).value);
        if (expected.empty()) {
          expected = values;
          expected_counts = counts;
        }
        CHECK(counts == expected_counts);
        CHECK(std::memcmp(values.data(), expected.data(), values.size() * sizeof(double)) == 0);
      }
    }
  }
}

TEST(one_base_serves_many_tables) {
  const CodedSample sample(300, {3, 4, 2, 5, 3}, 8);
  const std::vector<std::size_t> base{1, 2};
  DiscreteStatistic statistic(Kind::chi_squared);
  for (const CountingRoute route : {CountingRoute::rows, CountingRoute::planes}) {
    ContingencyTable table;
    table.set_base(sample.rows, 0, base);
    for (const std::size_t added : {3UL, 4UL, 3UL}) {
      table.count_with(added, route);
      CHECK(is_close(statistic.of(table.strata(0)),
                     naive_statistic(sample.rows, 0, added, base, Kind::chi_squared), 300));
    }
  }
}

TEST(strata_that_occur_give_the_same_statistic) {
  for (const std::size_t n : {1UL, 2UL, 65UL, 1000UL}) {
    const CodedSample sample(n, {9, 7, 3, 40, 300, 1}, n);
    StratifiedRows strata;
    for (const std::vector<std::size_t>& given : {std::vector<std::size_t>{}, {2}, {2, 3}, {4, 3, 2}, {5}}) {
      strata.sort(sample.rows, 0, given);
      for (const Kind kind : {Kind::chi_squared, Kind::g_squared}) {
        DiscreteStatistic statistic(kind);
        statistic.prepare(n);
        CHECK(is_close(strata.test(sample.rows, 1, statistic), naive_statistic(sample.rows, 0, 1, given, kind), n));
      }
    }
  }
}

// 60,000^5 strata are more than 2^63.
TEST(any_number_of_possible_strata) {
  const CodedSample sample(500, {4, 3, 60000, 60000, 60000, 60000, 60000, 2}, 9);
  const CodedRows& rows = sample.rows;
  DiscreteTest test(rows, Kind::chi_squared, 500.0, 0.05);
  test.set_columns({0, 1, 2, 3, 4, 5, 6, 7});
  const auto sweep = test.make_sweep();
  for (const std::vector<std::size_t>& given : {std::vector<std::size_t>{2, 3, 4, 5, 6}, {2, 7}, {7}}) {
    const double expected = test.p_value(naive_statistic(rows, 0, 1, given, Kind::chi_squared), 0, 1);
    CHECK(std::abs(sweep->p_value(0, 1, given) - expected) <= 1e-12 * expected);
  }
}

// Every decision of a sweep, tables and strata side by side, against the tests one by one.
TEST(sweeps_decide_like_single_tests) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const CodedSample sample(200, {3, 2, 4, 2, 3, 150, 2}, seed);
    for (const double alpha : {0.05, 0.7}) {
      DiscreteTest test(sample.rows, seed % 2 == 0 ? Kind::chi_squared : Kind::g_squared, 200.0, alpha);
      test.set_columns({6, 5, 4, 3, 2, 1, 0});
      const auto sweep = test.make_sweep(), single = test.make_sweep();
      const std::vector<std::size_t> neighbours{1, 2, 4, 0, 5, 6};
      const std::vector<std::uint8_t> fixed{0, 0, 1, 0, 0, 1};
      Monitor monitor;
      for (const std::size_t candidates : {6UL, 4UL, 1UL}) {
        for (std::size_t order = 0; order < 4; ++order) {
          sweep->run({3, neighbours, candidates, fixed, order}, monitor);
          std::vector<std::uint8_t> separated(6, 0), separators(36, 0);
          std::vector<std::size_t> members(order);
          std::iota(members.begin(), members.end(), std::size_t{0});
          do {
            if (candidates < order) break;
            std::vector<std::size_t> given;
            for (const std::size_t member : members) given.push_back(neighbours[member]);
            for (std::size_t y = 0; y < 6; ++y) {
              if (fixed[y] != 0 || std::find(members.begin(), members.end(), y) != members.end()) continue;
              if (!(single->p_value(3, neighbours[y], given) > alpha)) continue;
              separated[y] = 1;
              for (const std::size_t member : members) separators[y * 6 + member] = 1;
            }
          } while (next_subset(members, candidates));
          for (std::size_t y = 0; y < 6; ++y) {
            CHECK(sweep->is_separated(y) == (separated[y] != 0));
            for (std::size_t s = 0; s < 6; ++s) CHECK(sweep->is_separator(y, s) == (separators[y * 6 + s] != 0));
          }
        }
      }
    }
  }
}

TEST(bounds_of_p_decide_like_p) {
  const CodedSample sample(64, {2, 2}, 3);
  for (const double alpha : {1e-12, 0.01, 0.05, 0.4, 0.5, 0.9, 0.999}) {
    DiscreteTest test(sample.rows, Kind::chi_squared, 64.0, alpha);
    test.set_columns({0, 1});
    CHECK(test.is_independent({0.0, 0.0}, 0, 1));
    for (double df = 1.0; df < 2000.0; df = std::ceil(df * 1.3))
      for (double value = 0.0; value < 3.0 * df + 100.0; value += 0.01 * df + 0.1)
        CHECK(test.is_independent({value, df}, 0, 1) == (chi_squared_upper_tail(value, df) > alpha));
  }
}

TEST(replicates_hold_rows_as_often_as_drawn) {
  const CodedSample sample(100, {3, 4, 2}, 4);
  std::vector<RowCount> counts(100);
  for (std::size_t row = 0; row < 100; ++row) counts[row] = static_cast<RowCount>(row % 4);
  std::vector<double> repeated;
  for (std::size_t row = 0; row < 100; ++row)
    for (RowCount draw = 0; draw < counts[row]; ++draw)
      repeated.insert(repeated.end(), sample.values.begin() + static_cast<std::ptrdiff_t>(row * 3),
                      sample.values.begin() + static_cast<std::ptrdiff_t>(row * 3 + 3));
  Monitor monitor;
  const DiscreteSource source(Table::of(sample.values.data(), 100, 3), sample.levels, Kind::g_squared, monitor);
  const DiscreteSource gathered(Table::of(repeated.data(), 150, 3), sample.levels, Kind::g_squared, monitor);
  const auto replicator = source.make_replicator(150.0, 0.05), plain = gathered.make_replicator(150.0, 0.05);
  const std::vector<RowCount> once(150, 1);
  replicator->load({counts.data()}, monitor);
  plain->load({once.data()}, monitor);
  const std::vector<std::size_t> columns{2, 0, 1}, given{2};
  CHECK(replicator->test(0, columns).make_sweep()->p_value(0, 1, given) ==
        plain->test(0, columns).make_sweep()->p_value(0, 1, given));

  std::fill(counts.begin(), counts.end(), RowCount{0});
  counts[7] = 5;
  replicator->load({counts.data()}, monitor);
  for (std::size_t column = 0; column < 3; ++column) CHECK(replicator->is_constant(0, column));
}

TEST(invalid_codes_are_refused) {
  Monitor monitor;
  for (const double value : {-1.0, 3.0, 0.5, 1e300, static_cast<double>(NAN)}) {
    const std::vector<double> values{0, 0, 1, 2, 0, value};
    bool refused = false;
    try {
      const CodedColumns columns(Table::of(values.data(), 3, 2), {2, 3}, monitor);
    } catch (const InvalidCode& fault) {
      refused = fault.row == 2 && fault.column == 1 && fault.levels == 3;
    }
    CHECK(refused);
  }
}
