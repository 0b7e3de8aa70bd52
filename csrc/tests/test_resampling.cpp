#include <algorithm>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "pyvalue/resampling.hpp"

using namespace pyvalue;

namespace {

std::vector<RowCount> drawn(const Resampling& resampling, std::uint64_t replicate) {
  std::vector<RowCount> counts(resampling.rows(), 99);
  resampling.draw(replicate, counts.data());
  return counts;
}

std::size_t total(const std::vector<RowCount>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

Clusters blocks(std::size_t rows, std::size_t size) {
  Clusters clusters{std::vector<std::uint32_t>(rows), (rows + size - 1) / size};
  for (std::size_t row = 0; row < rows; ++row) clusters.of_row[row] = static_cast<std::uint32_t>(row / size);
  return clusters;
}

}  // namespace

TEST(a_replicate_draws_as_many_rows_as_it_should) {
  for (const std::size_t n : {1UL, 2UL, 63UL, 1000UL}) {
    CHECK(total(drawn(Resampling(n, Scheme::with_replacement, 5), 11)) == n);
    CHECK(total(drawn(Resampling(n, Scheme::with_replacement, 5, n / 3), 11)) == n / 3);
    const auto half = drawn(Resampling(n, Scheme::without_replacement, 5), 11);
    CHECK(total(half) == n / 2 && *std::max_element(half.begin(), half.end()) <= 1);
  }
}

TEST(complementary_pairs_share_no_row) {
  for (const std::size_t n : {2UL, 7UL, 100UL, 101UL}) {
    const Resampling resampling(n, Scheme::complementary_pairs, 3);
    for (std::uint64_t pair = 0; pair < 20; ++pair) {
      const auto first = drawn(resampling, 2 * pair), second = drawn(resampling, 2 * pair + 1);
      CHECK(total(first) == n / 2 && total(second) == n / 2);
      for (std::size_t row = 0; row < n; ++row) CHECK(first[row] + second[row] <= 1);
    }
  }
}

TEST(every_row_is_drawn_about_as_often) {
  for (const Scheme scheme : {Scheme::with_replacement, Scheme::without_replacement, Scheme::complementary_pairs}) {
    const Resampling resampling(40, scheme, 9);
    std::vector<std::size_t> often(40, 0);
    for (std::uint64_t replicate = 0; replicate < 4000; ++replicate) {
      const auto counts = drawn(resampling, replicate);
      for (std::size_t row = 0; row < 40; ++row) often[row] += counts[row];
    }
    const double expected = scheme == Scheme::with_replacement ? 4000.0 : 2000.0;
    for (const std::size_t count : often) CHECK(static_cast<double>(count) > 0.92 * expected && static_cast<double>(count) < 1.08 * expected);
  }
}

TEST(clusters_are_drawn_whole) {
  const Resampling resampling(103, Scheme::with_replacement, 2, {}, {blocks(103, 5)});
  bool varies = false;
  for (std::uint64_t replicate = 0; replicate < 10; ++replicate) {
    const auto counts = drawn(resampling, replicate);
    std::size_t clusters = 0;
    for (std::size_t row = 0; row < 103; ++row) {
      CHECK(counts[row] == counts[row / 5 * 5]);
      if (row % 5 == 0) clusters += counts[row];
    }
    CHECK(clusters == 21);
    varies = varies || total(counts) != 103;
  }
  CHECK(varies);
}

TEST(two_ways_multiply) {
  Clusters columns{std::vector<std::uint32_t>(60), 6};
  for (std::size_t row = 0; row < 60; ++row) columns.of_row[row] = static_cast<std::uint32_t>(row % 6);
  const Resampling both(60, Scheme::with_replacement, 2, {}, {blocks(60, 6), columns});
  const Resampling first(60, Scheme::with_replacement, 2, {}, {blocks(60, 6)});
  const auto counts = drawn(both, 4), by_block = drawn(first, 4);
  CHECK(total(counts) == 60);  // every combination is there once: the product of the two totals
  for (std::size_t row = 0; row < 60; ++row)
    if (by_block[row] == 0) CHECK(counts[row] == 0);
  CHECK(counts != by_block);
}

TEST(a_replicate_is_the_same_whenever_it_is_drawn) {
  const Resampling resampling(50, Scheme::with_replacement, 8);
  const auto first = drawn(resampling, 3);
  drawn(resampling, 4);
  CHECK(drawn(resampling, 3) == first);
  CHECK(drawn(resampling, 4) != first);
  CHECK(drawn(Resampling(50, Scheme::with_replacement, 9), 3) != first);
}

TEST(columns_are_shuffled_anew_in_every_replicate) {
  std::vector<std::size_t> first{0, 1, 2, 3, 4, 5, 6, 7}, second = first, sorted;
  shuffle_columns(1, 0, first);
  shuffle_columns(1, 1, second);
  CHECK(first != second);
  sorted = first;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t index = 0; index < 8; ++index) CHECK(sorted[index] == index);
}
