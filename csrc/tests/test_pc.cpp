#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "check.hpp"
#include "pyvalue/collinearity.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/pc.hpp"
#include "samples.hpp"

using namespace pyvalue;
using pyvalue::testing::linear_sample;
using pyvalue::testing::Sample;

namespace {

struct NaiveSkeleton {
  std::vector<std::vector<bool>> adjacent;
  std::vector<std::vector<std::set<std::size_t>>> unions;
};

// PC-stable spelled out: every test by itself, through FisherZ::p_value.
NaiveSkeleton naive_skeleton(const FisherZ& test) {
  const std::size_t d = test.correlation().size();
  NaiveSkeleton result{std::vector(d, std::vector<bool>(d, true)), std::vector(d, std::vector<std::set<std::size_t>>(d))};
  for (std::size_t i = 0; i < d; ++i) result.adjacent[i][i] = false;
  FisherZ::Scratch scratch;
  for (std::size_t order = 0; order < d; ++order) {
    const auto start = result.adjacent;
    for (std::size_t x = 0; x < d; ++x) {
      for (std::size_t y = 0; y < d; ++y) {
        if (!start[x][y]) continue;
        for (std::size_t bits = 0; bits < (std::size_t{1} << d); ++bits) {
          std::vector<std::size_t> given;
          bool inside = true;
          for (std::size_t s = 0; s < d; ++s) {
            if ((bits >> s & 1) == 0) continue;
            given.push_back(s);
            inside = inside && s != y && start[x][s];
          }
          if (!inside || given.size() != order || !(test.p_value(x, y, given, scratch) > test.alpha())) continue;
          result.adjacent[x][y] = result.adjacent[y][x] = false;
          result.unions[std::min(x, y)][std::max(x, y)].insert(given.begin(), given.end());
        }
      }
    }
  }
  return result;
}

EndMarks oriented(std::size_t d, const std::vector<std::pair<std::size_t, std::size_t>>& edges,
                  const std::function<void(SeparatingSets&)>& separate,
                  ColliderPriority priority = ColliderPriority::existing) {
  Square<std::uint8_t> adjacent(d, 0);
  for (const auto& [i, j] : edges) adjacent(i, j) = adjacent(j, i) = 1;
  SeparatingSets sets;
  sets.reset(d);
  separate(sets);
  MixedGraph graph;
  graph.reset(adjacent);
  Monitor monitor;
  const FisherZ unused(SquareMatrix(d, 0.0), 100.0, 0.05);
  const auto sweep = unused.make_sweep();
  ColliderSearch().run(graph, sets, {}, ColliderRule::separating_set, priority, *sweep, 0.05, {}, monitor);
  MeekRules().apply(graph, {});
  return graph.marks();
}

}  // namespace

TEST(threshold_and_p_value_agree) {
  SquareMatrix identity(2, 0.0);
  for (const double alpha : {1e-12, 0.01, 0.05, 0.5, 0.99}) {
    for (const double n : {5.0, 17.5, 1e6}) {
      const FisherZ test(identity, n, alpha);
      const double threshold = std::sqrt(test.squared_threshold(1));
      CHECK(fisher_z_p_value(threshold * (1.0 - 1e-9), n - 4.0) > alpha);
      CHECK(fisher_z_p_value(threshold * (1.0 + 1e-9), n - 4.0) <= alpha * (1.0 + 1e-4));
    }
  }
}

TEST(p_value_of_known_cases) {
  CHECK(std::abs(fisher_z_p_value(std::tanh(1.959963984540054 / 10.0), 100.0) - 0.05) < 1e-12);
  CHECK(fisher_z_p_value(0.0, 50.0) == 1.0);
  CHECK(fisher_z_p_value(1.0, 50.0) < 1e-15);
}

TEST(skeleton_matches_one_test_at_a_time) {
  std::size_t edges = 0, separators = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const std::size_t d = 3 + seed % 6, n = seed % 3 == 0 ? 12 : 200;
    const Sample sample = linear_sample(n, d, seed % 2 == 0 ? 0.3 : 0.8, seed);
    Monitor monitor;
    const SquareMatrix matrix = correlation(sample.view(), 1, monitor);
    const FisherZ test(matrix, static_cast<double>(n), 0.1);
    const NaiveSkeleton expected = naive_skeleton(test);
    SkeletonSearch search;
    SkeletonResult found;
    search.run(test, {}, std::nullopt, 1, monitor, found);
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = i + 1; j < d; ++j) {
        CHECK((found.adjacent(i, j) != 0) == expected.adjacent[i][j]);
        edges += expected.adjacent[i][j];
        if (expected.adjacent[i][j]) continue;
        const auto& set = expected.unions[i][j];
        CHECK((found.sets.members(i, j) == std::vector<std::size_t>(set.begin(), set.end())));
        separators += set.size();
      }
    }
  }
  CHECK(edges > 100 && separators > 100);
}

// Nearly collinear columns take the path of the exact test for every small pivot.
TEST(skeleton_matches_behind_small_pivots) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Sample sample = linear_sample(100, 6, 0.6, seed);
    for (std::size_t row = 0; row < 100; ++row)
      sample.values[row * 6 + 5] = sample.values[row * 6] + 1e-3 * sample.values[row * 6 + 5];
    Monitor monitor;
    const SquareMatrix matrix = correlation(sample.view(), 1, monitor);
    const FisherZ test(matrix, 100.0, 0.05);
    const NaiveSkeleton expected = naive_skeleton(test);
    SkeletonSearch search;
    SkeletonResult found;
    search.run(test, {}, std::nullopt, 1, monitor, found);
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 6; ++j) CHECK((found.adjacent(i, j) != 0) == expected.adjacent[i][j]);
  }
}

TEST(skeleton_is_the_same_for_any_number_of_threads) {
  const Sample sample = linear_sample(2000, 100, 0.15, 9);  // enough tests to be spread over threads
  Monitor monitor;
  const SquareMatrix matrix = correlation(sample.view(), 1, monitor);
  const FisherZ test(matrix, 2000.0, 0.4);
  SkeletonSearch search;
  SkeletonResult one, more;
  search.run(test, {}, 4, 1, monitor, one);
  CHECK(one.tests > 1000000);
  search.run(test, {}, 4, 7, monitor, more);
  for (std::size_t i = 0; i < 100; ++i) {
    for (std::size_t j = 0; j < 100; ++j) {
      CHECK(one.adjacent(i, j) == more.adjacent(i, j));
      CHECK(one.sets.members(i, j) == more.sets.members(i, j));
    }
  }
}

TEST(max_depth_limits_the_sets) {
  const Sample sample = linear_sample(300, 8, 0.7, 3);
  Monitor monitor;
  const SquareMatrix matrix = correlation(sample.view(), 1, monitor);
  const FisherZ test(matrix, 300.0, 0.05);
  SkeletonSearch search;
  SkeletonResult found;
  search.run(test, {}, 0, 1, monitor, found);
  CHECK(found.rounds == 1 && found.tests == 28);
  search.run(test, {}, 2, 1, monitor, found);
  CHECK(found.rounds == 3);
}

TEST(a_collider_and_a_chain) {
  // 0 - 1 - 2: separated by the empty set, 1 is a collider; separated by {1}, it is not.
  const EndMarks collider = oriented(3, {{0, 1}, {1, 2}}, [](SeparatingSets&) {});
  CHECK(is_directed(collider, 0, 1) && is_directed(collider, 2, 1));
  const EndMarks chain = oriented(3, {{0, 1}, {1, 2}}, [](SeparatingSets& sets) {
    sets.open(2, 0);
    sets.append(2, 0, 1);
  });
  CHECK(is_undirected(chain, 0, 1) && is_undirected(chain, 1, 2));
}

TEST(meek_rule_1_directs_away_from_a_collider) {
  // 0 --> 2 <-- 1, 2 - 3
  const EndMarks marks = oriented(4, {{0, 2}, {1, 2}, {2, 3}}, [](SeparatingSets& sets) {
    for (const std::size_t other : {0UL, 1UL}) {
      sets.open(other, 3);
      sets.append(other, 3, 2);
    }
  });
  CHECK(is_directed(marks, 0, 2) && is_directed(marks, 1, 2) && is_directed(marks, 2, 3));
}

TEST(the_first_collider_has_priority) {
  // Path 0 - 1 - 2 - 3 whose both middles look like colliders: 1 comes first and 2 is left out.
  const EndMarks marks = oriented(4, {{0, 1}, {1, 2}, {2, 3}}, [](SeparatingSets&) {});
  CHECK(is_directed(marks, 0, 1) && is_directed(marks, 2, 1));
  CHECK(!is_directed(marks, 3, 2));
}

TEST(contradicting_colliders_by_priority) {
  // The same path: the second collider, at 2, wants 1 --> 2 where the first has 2 --> 1.
  const auto of = [](ColliderPriority priority) {
    return oriented(4, {{0, 1}, {1, 2}, {2, 3}}, [](SeparatingSets&) {}, priority);
  };
  const EndMarks last = of(ColliderPriority::overwrite);
  CHECK(is_directed(last, 1, 2) && is_directed(last, 3, 2) && is_directed(last, 0, 1));
  const EndMarks both = of(ColliderPriority::bidirect);
  CHECK(is_bidirected(both, 1, 2) && is_directed(both, 0, 1) && is_directed(both, 3, 2));
}

TEST(known_edges_are_not_tested) {
  const Sample sample = linear_sample(300, 6, 0.5, 5);
  Monitor monitor;
  const FisherZ test(correlation(sample.view(), 1, monitor), 300.0, 0.05);
  Square<std::uint8_t> forbidden(6, 0), required(6, 0);
  for (std::size_t other = 1; other < 6; ++other) forbidden(0, other) = forbidden(other, 0) = 1;
  required(4, 2) = 1;
  SkeletonSearch search;
  SkeletonResult found;
  search.run(test, Knowledge(forbidden, required), 0, 1, monitor, found);
  CHECK(found.tests == 10);  // 15 pairs less 5 forbidden
  for (std::size_t other = 1; other < 6; ++other) CHECK(found.adjacent(0, other) == 0);
  CHECK(found.adjacent(4, 2) == 1 && found.adjacent(2, 4) == 1);
  PcSearch pc;
  pc.run(test, Knowledge(forbidden, required), {}, monitor);
  CHECK(is_directed(pc.marks(), 4, 2));
}

TEST(dependencies_name_their_columns) {
  Sample sample = linear_sample(50, 5, 0.0, 1);
  for (std::size_t row = 0; row < 50; ++row)
    sample.values[row * 5 + 4] = 2.0 * sample.values[row * 5 + 1] - sample.values[row * 5 + 2];
  Monitor monitor;
  const auto found = find_dependencies(correlation(sample.view(), 1, monitor), 1e-10);
  CHECK(found.size() == 1 && found[0].column == 4);
  CHECK(found[0].terms.size() == 2 && found[0].terms[0].first == 1 && found[0].terms[1].first == 2);
}
