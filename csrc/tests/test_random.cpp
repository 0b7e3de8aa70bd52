#include <numeric>
#include <vector>

#include "check.hpp"
#include "pyvalue/random.hpp"

using namespace pyvalue;

// Known answers of the Random123 distribution for philox4x32-10.
TEST(philox_matches_random123) {
  CHECK((philox4x32({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK((philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
         PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
         PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(streams_differ_by_seed_and_by_replicate) {
  CHECK(Philox(1, 0).next() != Philox(2, 0).next());
  CHECK(Philox(1, 0).next() != Philox(1, 1).next());
  CHECK(Philox(1, 7).next() == Philox(1, 7).next());
}

TEST(bounded_numbers_are_in_range_and_even) {
  Philox random(3, 0);
  std::vector<int> seen(7, 0);
  for (int draw = 0; draw < 70000; ++draw) ++seen[random.below(7)];
  for (const int count : seen) CHECK(count > 9500 && count < 10500);
}
