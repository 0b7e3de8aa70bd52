#include "pyvalue/level_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace pyvalue {
namespace {

struct Entry {
  double value;
  std::uint32_t row;
};

template <class Code>
std::vector<Code> codes_of(const std::vector<Entry>& sorted) {
  std::vector<Code> codes(sorted.size());
  std::size_t code = 0;
  for (std::size_t index = 0; index < sorted.size(); ++index) {
    if (index > 0 && sorted[index].value != sorted[index - 1].value) ++code;
    codes[sorted[index].row] = static_cast<Code>(code);
  }
  return codes;
}

template <class Code>
bool fits(std::size_t levels) {
  return levels <= std::size_t{std::numeric_limits<Code>::max()} + 1;
}

}  // namespace

std::vector<LevelCodes> level_codes(const Table& table, Monitor& monitor) {
  if (table.rows() > std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("ranks are for at most 2^32 - 1 rows");
  std::vector<LevelCodes> result(table.cols());
  std::vector<Entry> sorted(table.rows());
  for (std::size_t column = 0; column < table.cols(); ++column) {
    monitor.tick();
    table.column(column).visit(0, table.rows(), [&](std::size_t row, double value) {
      if (std::isnan(value)) throw std::invalid_argument("column " + std::to_string(column) + " holds NaN");
      sorted[row] = {value, static_cast<std::uint32_t>(row)};
    });
    std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
    std::size_t levels = sorted.empty() ? 0 : 1;
    for (std::size_t index = 1; index < sorted.size(); ++index)
      levels += sorted[index].value != sorted[index - 1].value;
    result[column].levels = levels;
    if (fits<std::uint8_t>(levels)) result[column].codes = codes_of<std::uint8_t>(sorted);
    else if (fits<std::uint16_t>(levels)) result[column].codes = codes_of<std::uint16_t>(sorted);
    else result[column].codes = codes_of<std::uint32_t>(sorted);
  }
  return result;
}

}  // namespace pyvalue
