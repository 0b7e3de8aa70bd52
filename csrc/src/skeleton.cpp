#include "pyvalue/skeleton.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "pyvalue/parallel.hpp"

namespace pyvalue {
namespace {

// A thread costs some tens of microseconds to start, and a test some nanoseconds.
constexpr double tests_worth_threads = 2e5;

double binomial(std::size_t n, std::size_t k) {
  double result = 1.0;
  for (std::size_t i = 0; i < k; ++i) result *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  return result;
}

double tests_of_sweep(std::size_t neighbours, std::size_t order) {
  if (neighbours <= order) return 0.0;
  return binomial(neighbours, order) * static_cast<double>(neighbours - order);
}

}  // namespace

void SkeletonSearch::run(const FisherZ& test, std::optional<std::size_t> max_depth, unsigned threads,
                         Monitor& monitor, SkeletonResult& result) {
  const std::size_t d = test.correlation().size();
  result.adjacent.reset(d, 1);
  result.sets.reset(d);
  result.tests = result.singular_tests = 0;
  result.rounds = 0;
  for (std::size_t i = 0; i < d; ++i) result.adjacent(i, i) = 0;
  list_neighbours(result.adjacent);

  for (std::size_t order = 0; max_degree() > order && order <= max_depth.value_or(d); ++order) {
    if (order == 0)
      test_marginally(test, monitor, result);
    else
      test_given_sets(test, order, threads, monitor, result);
    list_neighbours(result.adjacent);
    result.rounds = order + 1;
  }
}

void SkeletonSearch::test_marginally(const FisherZ& test, Monitor& monitor, SkeletonResult& result) {
  constexpr double doubt = 1e-9;
  const SquareMatrix& correlation = test.correlation();
  const std::size_t d = correlation.size();
  const double threshold = test.squared_threshold(0);
  FisherZ::Scratch scratch;
  for (std::size_t x = 0; x < d; ++x) {
    monitor.tick();
    for (std::size_t y = x + 1; y < d; ++y) {
      const double square = correlation(x, y) * correlation(x, y);
      bool independent = square < threshold;
      if (std::abs(square - threshold) <= doubt * threshold || square > 1.0 - doubt) {
        const Decision decision = test.decide(x, y, {}, scratch);
        if (decision == Decision::singular) ++result.singular_tests;
        independent = decision == Decision::independent;
      }
      if (independent) result.adjacent(x, y) = result.adjacent(y, x) = 0;
    }
  }
  result.tests += d * (d - 1) / 2;
}

// Every x sees the adjacencies of the start of the round, which makes the result independent of the columns' order.
void SkeletonSearch::test_given_sets(const FisherZ& test, std::size_t order, unsigned threads, Monitor& monitor,
                                     SkeletonResult& result) {
  const std::size_t d = neighbours_.size();
  removed_.reset(d, 0);
  const double tests = tests_of_order(order);
  if (tests < tests_worth_threads) threads = 1;
  if (sweeps_.size() < std::max(threads, 1U)) sweeps_.resize(std::max(threads, 1U));
  std::atomic<std::uint64_t> singular{0};

  const auto sweep_from = [&](std::size_t x, unsigned worker) {
    const auto& neighbours = neighbours_[x];
    if (neighbours.size() <= order) return;
    ConditioningSweep& sweep = sweeps_[worker];
    sweep.run(test, x, neighbours, order, monitor);
    singular += sweep.singular_tests();
    for (std::size_t y = 0; y < neighbours.size(); ++y) {
      if (!sweep.is_separated(y)) continue;
      removed_(x, neighbours[y]) = 1;
      result.sets.open(x, neighbours[y]);
      for (std::size_t s = 0; s < neighbours.size(); ++s)
        if (sweep.is_separator(y, s)) result.sets.append(x, neighbours[y], neighbours[s]);
    }
  };
  if (threads == 1) {
    for (std::size_t x = 0; x < d; ++x) sweep_from(x, 0);
  } else {
    parallel_for(d, threads, monitor, sweep_from);
  }

  for (std::size_t x = 0; x < d; ++x)
    for (std::size_t y = 0; y < d; ++y)
      if (removed_(x, y) != 0) result.adjacent(x, y) = result.adjacent(y, x) = 0;
  result.tests += static_cast<std::uint64_t>(tests);
  result.singular_tests += singular;
}

void SkeletonSearch::list_neighbours(const Square<std::uint8_t>& adjacent) {
  neighbours_.resize(adjacent.size());
  for (std::size_t x = 0; x < adjacent.size(); ++x) {
    neighbours_[x].clear();
    for (std::size_t y = 0; y < adjacent.size(); ++y)
      if (adjacent(x, y) != 0) neighbours_[x].push_back(y);
  }
}

std::size_t SkeletonSearch::max_degree() const {
  std::size_t degree = 0;
  for (const auto& neighbours : neighbours_) degree = std::max(degree, neighbours.size());
  return degree;
}

double SkeletonSearch::tests_of_order(std::size_t order) const {
  double tests = 0.0;
  for (const auto& neighbours : neighbours_) tests += tests_of_sweep(neighbours.size(), order);
  return tests;
}

}  // namespace pyvalue
