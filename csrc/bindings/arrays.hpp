// The array types of the module, named once. Conversion and copying is Python's business: nothing is cast here.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pyvalue/matrix_view.hpp"

namespace pyvalue::bindings {

namespace py = pybind11;

using Table = py::array_t<double, 0>;         // (n, d), any strides
using Correlation = py::array_t<double, 0>;   // (d, d)
using Marks = py::array_t<std::int8_t>;       // (d, d)
using Counts = py::array_t<std::uint32_t>;    // (d, d)
using RowCounts = py::array_t<std::uint16_t>;  // (n,)

inline MatrixView view_of(const Table& array, const char* name) {
  if (array.ndim() != 2)
    throw py::value_error(std::string(name) + " must have 2 dimensions, got " + std::to_string(array.ndim()));
  constexpr auto item = static_cast<py::ssize_t>(sizeof(double));
  if (array.strides(0) % item != 0 || array.strides(1) % item != 0)
    throw py::value_error(std::string(name) + " must have strides that are multiples of 8 bytes; pass a copy of it");
  return {array.data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1)),
          array.strides(0) / item, array.strides(1) / item};
}

inline SquareMatrix square_of(const Correlation& array, const char* name) {
  const MatrixView view = view_of(array, name);
  if (view.rows != view.cols)
    throw py::value_error(std::string(name) + " must be square, got shape (" + std::to_string(view.rows) + ", " +
                          std::to_string(view.cols) + ")");
  SquareMatrix matrix(view.rows);
  for (std::size_t i = 0; i < view.rows; ++i)
    for (std::size_t j = 0; j < view.cols; ++j) matrix(i, j) = view(i, j);
  return matrix;
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
