// Counter-based random streams: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pyvalue {

using PhiloxBlock = std::array<std::uint32_t, 4>;

PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key);

// One independent stream a (seed, stream, purpose): replicate r draws the same numbers whoever computes it, and when.
class Philox {
 public:
  Philox(std::uint64_t seed, std::uint64_t stream, std::uint32_t purpose = 0);

  std::uint32_t next();

  // Uniform on 0 .. bound - 1, without bias (Lemire 2019); bound > 0.
  std::uint32_t below(std::uint32_t bound);

 private:
  std::array<std::uint32_t, 2> key_;
  PhiloxBlock counter_;
  PhiloxBlock block_{};
  std::size_t used_ = 4;
};

}  // namespace pyvalue
