#include "pyvalue/table.hpp"

#include <algorithm>

namespace pyvalue {

Table::Table(std::size_t rows, std::vector<Column> columns) : rows_(rows), columns_(std::move(columns)) {
  constexpr auto item = static_cast<std::ptrdiff_t>(sizeof(double));
  if (columns_.empty() || rows == 0) return;
  const Column& first = columns_.front();
  const auto fits = [&](const Column& column) {
    return column.type == NumberType::f64 && column.stride == first.stride &&
           column.data == first.data + (&column - columns_.data()) * item;
  };
  const bool aligned = reinterpret_cast<std::uintptr_t>(first.data) % alignof(double) == 0 && first.stride % item == 0;
  if (!aligned || !std::all_of(columns_.begin(), columns_.end(), fits)) return;
  row_major_ = reinterpret_cast<const double*>(first.data);
  row_stride_ = first.stride / item;
}

Table Table::of(const double* values, std::size_t rows, std::size_t cols) {
  std::vector<Column> columns(cols);
  for (std::size_t column = 0; column < cols; ++column)
    columns[column] = {reinterpret_cast<const std::byte*>(values + column),
                       static_cast<std::ptrdiff_t>(cols * sizeof(double)), NumberType::f64};
  return {rows, std::move(columns)};
}

}  // namespace pyvalue
