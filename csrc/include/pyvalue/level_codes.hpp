// Columns as the ranks of their distinct values: all that a rank statistic needs of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "pyvalue/monitor.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue {

// codes[row] = 0 for the column's smallest value, 1 for the next, ..., levels - 1. As narrow as the levels allow:
// millions of rows of few levels cost a byte each.
struct LevelCodes {
  std::size_t levels = 0;
  std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<std::uint32_t>> codes;
};

// Throws std::invalid_argument if a value is NaN, which has no rank.
std::vector<LevelCodes> level_codes(const Table& table, Monitor& monitor);

}  // namespace pyvalue
