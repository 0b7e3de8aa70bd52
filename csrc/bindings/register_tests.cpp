#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/callback_source.hpp"
#include "pyvalue/fisher_z.hpp"
#include "test_handle.hpp"

namespace pyvalue::bindings {
namespace {

void check_level(double n, double alpha) {
  if (!(alpha > 0.0 && alpha < 1.0)) throw py::value_error("alpha must be between 0 and 1");
  if (!(n > 3.0) || !std::isfinite(n)) throw py::value_error("n must be above 3");
}

TestHandle make_fisher_z(const SquareArray& correlation, double n, double alpha,
                          const std::optional<SquareArray>& shares) {
  check_level(n, alpha);
  auto matrix = square_of<double>(correlation, "correlation");
  EffectiveRows rows = effective_rows(n, shares, matrix.size());
  return TestHandle(std::make_shared<FisherZ>(std::move(matrix), std::move(rows), alpha));
}

TestHandle test_on_all_rows(const TestSource& source, double n, double alpha,
                            const std::optional<SquareArray>& shares) {
  check_level(n, alpha);
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const EffectiveRows rows = effective_rows(n, shares, source.cols());
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return {source, rows, alpha, monitor};
}

double p_value(const TestHandle& handle, std::size_t x, std::size_t y, std::vector<std::size_t> given) {
  const std::size_t d = handle.test().variables();
  std::sort(given.begin(), given.end());
  if (x >= d || y >= d || (!given.empty() && given.back() >= d)) throw py::index_error("there is no such variable");
  const auto in_set = [&](std::size_t variable) { return std::binary_search(given.begin(), given.end(), variable); };
  if (x == y || in_set(x) || in_set(y) || std::adjacent_find(given.begin(), given.end()) != given.end())
    throw py::value_error("x, y and the given variables must be distinct");
  return handle.test().make_sweep()->p_value(x, y, given);
}

// A C function: numba's cfunc, for example.
std::unique_ptr<CallbackSource> make_compiled_source(const TableHolder& x, std::uintptr_t address) {
  using Function = double(const double*, const double*, const double*, std::int64_t, std::int64_t);
  auto* function = reinterpret_cast<Function*>(address);
  if (function == nullptr) throw py::value_error("address must not be 0");
  return std::make_unique<CallbackSource>(x.table, function, true);
}

std::unique_ptr<CallbackSource> make_python_source(const TableHolder& x, const py::function& function) {
  const auto call = [function](const double* x_values, const double* y_values, const double* z_values,
                               std::int64_t rows, std::int64_t given) {
    const py::gil_scoped_acquire gil;
    const py::array_t<double> z({given, rows}, z_values);
    return function(py::array_t<double>(rows, x_values), py::array_t<double>(rows, y_values), z.attr("T"))
        .cast<double>();
  };
  return std::make_unique<CallbackSource>(x.table, call, false);
}

}  // namespace

void register_tests(py::module_& module) {
  using namespace py::literals;
  py::class_<TestHandle>(module, "CITest", "A test of conditional independence on one set of data.")
      .def("p_value", &p_value, "x"_a, "y"_a, "given"_a = std::vector<std::size_t>(),
           "p-value of x against y; NaN where the test has no answer.");
  module.def("fisher_z", &make_fisher_z, "correlation"_a.noconvert(), "n"_a, "alpha"_a = 0.05,
             "shares"_a = py::none(),
             "Fisher's z on correlations (d, d) of n rows; shares (d, d): of them that each pair is worth, if less.");

  py::class_<TestSource>(module, "TestSource", "Data and a kind of test.")
      .def("test", &test_on_all_rows, "n"_a, "alpha"_a = 0.05, "shares"_a = py::none(), py::keep_alive<0, 1>(),
           "The test on all rows, told of n of them, or for each pair of a share (d, d) of n.");
  py::class_<CallbackSource, TestSource>(module, "CallbackSource", "A function (x, y, z) -> p.")
      .def(py::init(&make_compiled_source), "x"_a, "address"_a, py::keep_alive<1, 2>())
      .def(py::init(&make_python_source), "x"_a, "function"_a, py::keep_alive<1, 2>());

  static py::exception<TestFailure> failure(module, "TestFailure");
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const TestFailure& fault) {
      const auto rows = static_cast<py::ssize_t>(fault.x.size());
      const py::array_t<double> z({static_cast<py::ssize_t>(fault.given_columns.size()), rows}, fault.z.data());
      const py::tuple arguments =
          py::make_tuple(fault.x_column, fault.y_column, py::tuple(py::cast(fault.given_columns)), array_of(fault.x),
                         array_of(fault.y), z.attr("T"), fault.p);
      PyErr_SetObject(failure.ptr(), arguments.ptr());
    }
  });
}

}  // namespace pyvalue::bindings
