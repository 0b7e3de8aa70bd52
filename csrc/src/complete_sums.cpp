#include "pyvalue/complete_sums.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace pyvalue {

ColumnScaling scale_present(const Table& table, Monitor& monitor) {
  ColumnScaling scaling{std::vector<double>(table.cols(), 0.0), std::vector<double>(table.cols(), 0.0)};
  for (std::size_t column = 0; column < table.cols(); ++column) {
    monitor.tick();
    double first = 0.0, min = 0.0, max = 0.0, sum_from_first = 0.0, present = 0.0;
    table.column(column).visit(0, table.rows(), [&](std::size_t, double value) {
      if (std::isnan(value)) return;
      if (present == 0.0) first = min = max = value;
      min = value < min ? value : min;
      max = value > max ? value : max;
      sum_from_first += value - first;
      present += 1.0;
    });
    if (std::isinf(min) || std::isinf(max))
      throw std::invalid_argument("column " + std::to_string(column) + " holds an infinite value");
    if (present > 0.0) scaling.offset[column] = first + sum_from_first / present;
    if (max > min) scaling.factor[column] = 1.0 / (max - min);
  }
  return scaling;
}

}  // namespace pyvalue
