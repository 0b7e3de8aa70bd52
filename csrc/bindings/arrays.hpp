// The array types of the module, named once. Conversion and copying is Python's business: nothing is cast here.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pyvalue/effective_rows.hpp"
#include "pyvalue/square.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue::bindings {

namespace py = pybind11;

using SquareArray = py::array_t<double, 0>;     // (d, d), any strides
using FlagArray = py::array_t<std::uint8_t, py::array::c_style>;  // (d, d)
using RowCounts = py::array_t<std::uint16_t>;   // (n,)
using Labels = py::array_t<std::uint32_t, py::array::c_style>;    // (n,)

// Columns that the caller's arrays own: the arrays are kept for as long as the table.
struct TableHolder {
  Table table;
  std::vector<py::array> arrays;
};

inline NumberType number_type(const py::dtype& type) {
  const char kind = type.kind();
  const auto size = type.itemsize();
  if (!type.attr("isnative").cast<bool>()) throw py::type_error("columns must have the machine's byte order");
  if (kind == 'f' && size == 8) return NumberType::f64;
  if (kind == 'f' && size == 4) return NumberType::f32;
  if (kind == 'i' && size == 8) return NumberType::i64;
  if (kind == 'i' && size == 4) return NumberType::i32;
  if (kind == 'i' && size == 2) return NumberType::i16;
  if (kind == 'i' && size == 1) return NumberType::i8;
  if (kind == 'u' && size == 8) return NumberType::u64;
  if (kind == 'u' && size == 4) return NumberType::u32;
  if (kind == 'u' && size == 2) return NumberType::u16;
  if ((kind == 'u' || kind == 'b') && size == 1) return NumberType::u8;
  throw py::type_error("columns must be float32, float64, whole numbers or booleans, got " +
                       py::str(type).cast<std::string>());
}

inline const std::byte* bytes_of(const py::array& array) { return static_cast<const std::byte*>(array.data()); }

// An (n, d) array, or a sequence of d arrays (n,).
inline TableHolder table_of(const py::object& source) {
  if (py::isinstance<py::array>(source)) {
    const auto array = py::reinterpret_borrow<py::array>(source);
    if (array.ndim() != 2)
      throw py::value_error("x must have 2 dimensions, got " + std::to_string(array.ndim()));
    const NumberType type = number_type(array.dtype());
    std::vector<Column> columns(static_cast<std::size_t>(array.shape(1)));
    for (std::size_t column = 0; column < columns.size(); ++column)
      columns[column] = {bytes_of(array) + static_cast<py::ssize_t>(column) * array.strides(1), array.strides(0), type};
    return {Table(static_cast<std::size_t>(array.shape(0)), std::move(columns)), {array}};
  }
  TableHolder holder;
  std::vector<Column> columns;
  for (const py::handle item : py::cast<py::sequence>(source)) {
    const auto array = py::reinterpret_borrow<py::array>(item);
    if (!py::isinstance<py::array>(item) || array.ndim() != 1) throw py::value_error("a column must be an array (n,)");
    if (!holder.arrays.empty() && array.shape(0) != holder.arrays.front().shape(0))
      throw py::value_error("columns must be of one length, got " + std::to_string(array.shape(0)) + " and " +
                            std::to_string(holder.arrays.front().shape(0)));
    columns.push_back({bytes_of(array), array.strides(0), number_type(array.dtype())});
    holder.arrays.push_back(array);
  }
  const auto rows = holder.arrays.empty() ? 0 : holder.arrays.front().shape(0);
  holder.table = Table(static_cast<std::size_t>(rows), std::move(columns));
  return holder;
}

template <class T, class Array>
Square<T> square_of(const Array& array, const char* name) {
  if (array.ndim() != 2 || array.shape(0) != array.shape(1))
    throw py::value_error(std::string(name) + " must be a square matrix");
  const auto entries = array.template unchecked<2>();
  Square<T> matrix(static_cast<std::size_t>(array.shape(0)));
  for (py::ssize_t i = 0; i < array.shape(0); ++i)
    for (py::ssize_t j = 0; j < array.shape(0); ++j)
      matrix(static_cast<std::size_t>(i), static_cast<std::size_t>(j)) = entries(i, j);
  return matrix;
}

// Rows that tests are told of, n for all pairs or a share (d, d) of n for each.
inline EffectiveRows effective_rows(double n, const std::optional<SquareArray>& shares, std::size_t variables) {
  if (!shares) return n;
  auto matrix = square_of<double>(*shares, "shares");
  if (matrix.size() != variables) throw py::value_error("shares must have one row and column a variable");
  return {n, std::move(matrix)};
}

template <class To, class From>
py::array_t<To> array_of(const Square<From>& square) {
  const auto d = static_cast<py::ssize_t>(square.size());
  py::array_t<To> array({d, d});
  To* target = array.mutable_data();
  for (std::size_t index = 0; index < square.size() * square.size(); ++index)
    target[index] = static_cast<To>(square.data()[index]);
  return array;
}

template <class T>
py::array_t<T> array_of(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace pyvalue::bindings
