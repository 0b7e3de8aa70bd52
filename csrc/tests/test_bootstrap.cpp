#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "pyvalue/bootstrap.hpp"
#include "pyvalue/callback_source.hpp"
#include "pyvalue/pearson_source.hpp"
#include "samples.hpp"

using namespace pyvalue;
using pyvalue::testing::linear_sample;
using pyvalue::testing::Sample;

namespace {

bool same(const Square<std::uint32_t>& a, const Square<std::uint32_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * a.size() * sizeof(std::uint32_t)) == 0;
}

bool same(const EdgeCounts& a, const EdgeCounts& b) {
  return same(a.directed, b.directed) && same(a.undirected, b.undirected) && same(a.absent, b.absent) &&
         same(a.untestable, b.untestable);
}

EdgeCounts run(const Sample& sample, std::size_t replicates, unsigned threads, std::size_t first = 0,
               EdgeKind* kinds = nullptr) {
  Monitor monitor;
  BootstrapOptions options{first, replicates, static_cast<double>(sample.rows) / 2.0, 0.05, true, {}};
  options.pc.threads = threads;
  const PearsonSource source(sample.view(), monitor);
  return bootstrap(source, Resampling(sample.rows, Scheme::with_replacement, 42), {}, options, kinds, monitor);
}

}  // namespace

TEST(counts_are_the_same_for_any_number_of_threads) {
  const Sample sample = linear_sample(150, 9, 0.4, 1);
  const EdgeCounts one = run(sample, 100, 1);
  CHECK(same(one, run(sample, 100, 2)));
  CHECK(same(one, run(sample, 100, 7)));
}

TEST(a_replicate_can_be_computed_alone) {
  const Sample sample = linear_sample(80, 6, 0.5, 2);
  EdgeCounts sum(6);
  for (std::size_t replicate = 0; replicate < 20; ++replicate) sum.merge(run(sample, 1, 1, replicate));
  CHECK(same(sum, run(sample, 20, 3)));
}

TEST(counts_of_a_pair_add_up) {
  Sample sample = linear_sample(12, 5, 0.5, 3);
  for (std::size_t row = 1; row < 12; ++row) sample.values[row * 5 + 2] = 1.0;  // constant unless row 0 is drawn
  const EdgeCounts counts = run(sample, 200, 2);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 5; ++j)
      if (i != j)
        CHECK(counts.directed(i, j) + counts.directed(j, i) + counts.undirected(i, j) + counts.bidirected(i, j) +
                  counts.absent(i, j) + counts.untestable(i, j) == 200);
  // Row 0 is missing from a replicate with probability (11/12)^12 = 0.35.
  CHECK(counts.untestable(2, 2) > 40 && counts.untestable(2, 2) < 100);
  CHECK(counts.untestable(0, 0) == 0 && counts.untestable(2, 4) == counts.untestable(2, 2));
}

TEST(kinds_and_counts_agree) {
  const Sample sample = linear_sample(60, 5, 0.5, 6);
  std::vector<EdgeKind> kinds(40 * 10);
  const EdgeCounts counts = run(sample, 40, 3, 0, kinds.data());
  EdgeCounts again(5);
  for (std::size_t replicate = 0; replicate < 40; ++replicate) {
    std::size_t at = replicate * 10;
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = i + 1; j < 5; ++j) again.add(i, j, kinds[at++]);
  }
  CHECK(same(counts.directed, again.directed));
  CHECK(counts.undirected(1, 3) == again.undirected(1, 3) && counts.absent(0, 4) == again.absent(0, 4));
}

// A test that is no function of the data's scale but of the rows that were drawn: they must be the drawn ones.
TEST(a_callback_sees_the_drawn_rows) {
  const Sample sample = linear_sample(20, 3, 0.5, 7);
  Monitor monitor;
  const Resampling resampling(20, Scheme::with_replacement, 3);
  std::vector<RowCount> counts(20);
  resampling.draw(0, counts.data());
  double expected = 0.0, seen = 0.0;
  for (std::size_t row = 0; row < 20; ++row) expected += counts[row] * sample.values[row * 3];
  const CallbackSource source(
      sample.view(),
      [&seen](const double* x, const double*, const double*, std::int64_t rows, std::int64_t) {
        if (seen == 0.0)
          for (std::int64_t row = 0; row < rows; ++row) seen += x[row];
        return 1.0;
      },
      true);
  BootstrapOptions options{0, 1, 10.0, 0.05, false, {}};
  const EdgeCounts found = bootstrap(source, resampling, {}, options, nullptr, monitor);
  CHECK(std::abs(seen - expected) < 1e-12);
  CHECK(found.absent(0, 1) == 1);
}

TEST(a_callback_without_a_p_value_fails) {
  const Sample sample = linear_sample(20, 3, 0.5, 8);
  Monitor monitor;
  const CallbackSource source(
      sample.view(), [](const double*, const double*, const double*, std::int64_t, std::int64_t) { return 1.5; }, true);
  bool caught = false;
  try {
    bootstrap(source, Resampling(20, Scheme::with_replacement, 3), {}, {0, 1, 10.0, 0.05, true, {}}, nullptr, monitor);
  } catch (const TestFailure& failure) {
    caught = failure.p == 1.5 && failure.x.size() == 20 && failure.x_column < failure.y_column + 3;
  }
  CHECK(caught);
}

TEST(a_failing_poll_ends_the_bootstrap) {
  const Sample sample = linear_sample(300, 15, 0.4, 4);
  Monitor monitor([](std::size_t) { throw std::domain_error("stop"); });
  bool caught = false;
  try {
    Monitor silent;
    const PearsonSource source(sample.view(), silent);
    BootstrapOptions options{0, 1000000, 150.0, 0.05, true, {}};
    options.pc.threads = 3;
    bootstrap(source, Resampling(300, Scheme::with_replacement, 1), {}, options, nullptr, monitor);
  } catch (const std::domain_error&) {
    caught = true;
  }
  CHECK(caught);
  CHECK(monitor.done() < 1000000);
}
