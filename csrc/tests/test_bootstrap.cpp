#include <cstring>
#include <stdexcept>

#include "check.hpp"
#include "pyvalue/bootstrap.hpp"
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

EdgeCounts run(const Sample& sample, std::size_t replicates, unsigned threads, std::size_t first = 0) {
  Monitor monitor;
  const BootstrapOptions options{first, replicates, 42, static_cast<double>(sample.rows) / 2.0, {0.05, {}, threads}};
  return bootstrap(sample.view(), options, monitor);
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

TEST(a_failing_poll_ends_the_bootstrap) {
  const Sample sample = linear_sample(300, 15, 0.4, 4);
  Monitor monitor([](std::size_t) { throw std::domain_error("stop"); });
  bool caught = false;
  try {
    bootstrap(sample.view(), {0, 1000000, 1, 150.0, {0.05, {}, 3}}, monitor);
  } catch (const std::domain_error&) {
    caught = true;
  }
  CHECK(caught);
  CHECK(monitor.done() < 1000000);
}
