#include "pyvalue/skeleton.hpp"

#include <algorithm>
#include <atomic>

#include "pyvalue/parallel.hpp"

namespace pyvalue {
namespace {

// A thread costs some tens of microseconds to start.
constexpr double nanoseconds_worth_threads = 1e6;

double binomial(std::size_t n, std::size_t k) {
  if (k > n) return 0.0;
  double result = 1.0;
  for (std::size_t i = 0; i < k; ++i) result *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  return result;
}

std::size_t max_degree(const Square<std::uint8_t>& adjacent) {
  std::size_t degree = 0;
  for (std::size_t x = 0; x < adjacent.size(); ++x)
    degree = std::max(degree, static_cast<std::size_t>(std::count_if(adjacent.row(x), adjacent.row(x) + adjacent.size(),
                                                                     [](std::uint8_t edge) { return edge != 0; })));
  return degree;
}

}  // namespace

void SkeletonSearch::run(const CiTest& test, const Knowledge& knowledge, std::optional<std::size_t> max_depth,
                         unsigned threads, Monitor& monitor, SkeletonResult& result, bool report_sweeps) {
  const std::size_t d = test.variables();
  bind(test, threads);
  result.adjacent.reset(d, 1);
  result.unsupported.reset(d, 0);
  result.sets.reset(d);
  result.tests = result.singular_tests = 0;
  result.rounds = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      if (i == j || knowledge.forbids_edge(i, j)) result.adjacent(i, j) = 0;

  for (std::size_t order = 0; max_degree(result.adjacent) > order && order <= max_depth.value_or(d); ++order) {
    const bool once_a_pair = order == 0;  // the empty set is the same from both ends
    list_neighbours(result, knowledge, once_a_pair);
    run_round(test, knowledge, order, threads, monitor, result, report_sweeps);
    result.rounds = order + 1;
  }
}

void SkeletonSearch::bind(const CiTest& test, unsigned threads) {
  if (test_ != &test) sweeps_.clear();
  test_ = &test;
  const std::size_t useful = std::min<std::size_t>(std::max(threads, 1U), std::max<std::size_t>(1, test.variables()));
  while (sweeps_.size() < useful) sweeps_.push_back(test.make_sweep());
}

// Every x sees the adjacencies of the start of the round, which makes the result independent of the columns' order.
void SkeletonSearch::run_round(const CiTest& test, const Knowledge& knowledge, std::size_t order, unsigned threads,
                               Monitor& monitor, SkeletonResult& result, bool report_sweeps) {
  const std::size_t d = neighbours_.size();
  removed_.reset(d, 0);
  const double tests = tests_of_order(order);
  if (tests * test.nanoseconds() < nanoseconds_worth_threads || !test.is_threadsafe()) threads = 1;
  std::atomic<std::uint64_t> singular{0};

  const auto sweep_from = [&](std::size_t x, unsigned worker) {
    const auto& [variables, fixed, candidates] = neighbours_[x];
    if (report_sweeps) monitor.advance();
    if (variables.size() <= order && order > 0) return;
    Sweep& sweep = *sweeps_[worker];
    sweep.run({x, variables, candidates, fixed, order}, monitor);
    singular += sweep.singular_tests();
    for (std::size_t y = 0; y < variables.size(); ++y) {
      if (fixed[y] != 0 || !sweep.is_separated(y)) continue;
      removed_(x, variables[y]) = 1;
      if (order == 0 || knowledge.requires_edge(x, variables[y])) continue;
      result.sets.open(x, variables[y]);
      for (std::size_t s = 0; s < variables.size(); ++s)
        if (sweep.is_separator(y, s)) result.sets.append(x, variables[y], variables[s]);
    }
  };
  if (threads == 1) {
    for (std::size_t x = 0; x < d; ++x) sweep_from(x, 0);
  } else {
    parallel_for(d, static_cast<unsigned>(std::min<std::size_t>(threads, sweeps_.size())), monitor, sweep_from);
  }

  for (std::size_t x = 0; x < d; ++x) {
    for (std::size_t y = 0; y < d; ++y) {
      if (removed_(x, y) == 0) continue;
      if (knowledge.requires_edge(x, y)) result.unsupported(x, y) = result.unsupported(y, x) = 1;
      else result.adjacent(x, y) = result.adjacent(y, x) = 0;
    }
  }
  result.tests += static_cast<std::uint64_t>(tests);
  result.singular_tests += singular;
}

void SkeletonSearch::list_neighbours(const SkeletonResult& result, const Knowledge& knowledge, bool later_only) {
  const auto& adjacent = result.adjacent;
  const std::size_t d = adjacent.size();
  neighbours_.resize(d);
  for (std::size_t x = 0; x < d; ++x) {
    auto& [variables, fixed, candidates] = neighbours_[x];
    variables.clear();
    for (std::size_t y = later_only ? x + 1 : 0; y < d; ++y)
      if (adjacent(x, y) != 0) variables.push_back(y);
    const auto may_be_parent = [&](std::size_t y) { return knowledge.allows(y, x); };
    candidates = variables.size();
    if (!knowledge.empty())
      candidates = static_cast<std::size_t>(
          std::stable_partition(variables.begin(), variables.end(), may_be_parent) - variables.begin());
    fixed.assign(variables.size(), 0);
    for (std::size_t y = 0; y < variables.size(); ++y) fixed[y] = result.unsupported(x, variables[y]);
  }
}

double SkeletonSearch::tests_of_order(std::size_t order) const {
  double tests = 0.0;
  for (const auto& [variables, fixed, candidates] : neighbours_) {
    const auto of_candidates = std::count(fixed.begin(), fixed.begin() + static_cast<std::ptrdiff_t>(candidates), 0);
    const auto of_all = std::count(fixed.begin(), fixed.end(), 0);
    if (candidates > 0) tests += static_cast<double>(of_candidates) * binomial(candidates - 1, order);
    tests += static_cast<double>(of_all - of_candidates) * binomial(candidates, order);
  }
  return tests;
}

}  // namespace pyvalue
