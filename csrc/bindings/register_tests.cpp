#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <string>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/callback_source.hpp"
#include "pyvalue/degenerate_gaussian_source.hpp"
#include "pyvalue/discrete_source.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/missing_source.hpp"
#include "pyvalue/pearson_source.hpp"
#include "pyvalue/special_functions.hpp"
#include "test_handle.hpp"

namespace pyvalue::bindings {
namespace {

void check_level(double n, double alpha) {
  if (!(alpha > 0.0 && alpha < 1.0)) throw py::value_error("alpha must be between 0 and 1");
  if (!(n > 3.0) || !std::isfinite(n)) throw py::value_error("n must be above 3");
}

TestHandle make_fisher_z(const SquareArray& correlation, double n, double alpha) {
  check_level(n, alpha);
  return TestHandle(std::make_shared<FisherZ>(square_of<double>(correlation, "correlation"), n, alpha));
}

TestHandle test_on_all_rows(const TestSource& source, double n, double alpha) {
  check_level(n, alpha);
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return {source, n, alpha, monitor};
}

double p_value(const TestHandle& handle, std::size_t x, std::size_t y, std::vector<std::size_t> given) {
  const std::size_t d = handle.test().variables();
  std::sort(given.begin(), given.end());
  if (x >= d || y >= d || (!given.empty() && given.back() >= d)) throw py::index_error("there is no such variable");
  return handle.test().make_sweep()->p_value(x, y, given);
}

std::unique_ptr<PearsonSource> make_pearson_source(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  return std::make_unique<PearsonSource>(x.table, monitor);
}

std::unique_ptr<MissingSource> make_missing_source(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  return std::make_unique<MissingSource>(x.table, monitor);
}

std::unique_ptr<DegenerateGaussianSource> make_degenerate_gaussian_source(const TableHolder& x,
                                                                          std::vector<std::size_t> levels) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  return std::make_unique<DegenerateGaussianSource>(x.table, std::move(levels), monitor);
}

std::unique_ptr<DiscreteSource> make_discrete_source(const TableHolder& x, const std::vector<std::size_t>& levels,
                                                     const std::string& statistic) {
  if (statistic != "chisq" && statistic != "gsq")
    throw py::value_error("statistic must be 'chisq' or 'gsq', got '" + statistic + "'");
  if (levels.size() != x.table.cols())
    throw py::value_error("levels must have one number a column: " + std::to_string(levels.size()) + " levels, " +
                          std::to_string(x.table.cols()) + " columns");
  for (std::size_t column = 0; column < levels.size(); ++column)
    if (levels[column] < 1 || levels[column] > max_levels)
      throw py::value_error("column " + std::to_string(column) + " must have 1 to " + std::to_string(max_levels) +
                            " levels, got " + std::to_string(levels[column]));
  const Progress silent;
  Monitor monitor(python_poll(silent));
  try {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffers
    const auto kind = statistic == "gsq" ? DiscreteStatistic::Kind::g_squared : DiscreteStatistic::Kind::chi_squared;
    return std::make_unique<DiscreteSource>(x.table, levels, kind, monitor);
  } catch (const InvalidCode& fault) {
    throw py::value_error("column " + std::to_string(fault.column) + " must hold whole codes 0 to " +
                          std::to_string(fault.levels - 1) + ", got " +
                          py::str(py::float_(fault.value)).cast<std::string>() + " in row " +
                          std::to_string(fault.row));
  }
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
             "Fisher's z on correlations (d, d) of n rows.");

  py::class_<TestSource>(module, "TestSource", "Data and a kind of test.")
      .def("test", &test_on_all_rows, "n"_a, "alpha"_a = 0.05, py::keep_alive<0, 1>(),
           "The test on all rows, told of n of them.");
  py::class_<PearsonSource, TestSource>(module, "PearsonSource", "Fisher's z on Pearson correlations.")
      .def(py::init(&make_pearson_source), "x"_a, py::keep_alive<1, 2>());
  py::class_<MissingSource, TestSource>(module, "MissingSource",
                                        "Fisher's z on the rows that hold all variables of a test; NaN is missing.")
      .def(py::init(&make_missing_source), "x"_a, py::keep_alive<1, 2>());
  py::class_<DegenerateGaussianSource, TestSource>(
      module, "DegenerateGaussianSource",
      "Degenerate Gaussian tests; levels: 0 for a continuous column, else how many levels its codes have.")
      .def(py::init(&make_degenerate_gaussian_source), "x"_a, "levels"_a, py::keep_alive<1, 2>());
  py::class_<DiscreteSource, TestSource>(module, "DiscreteSource", "Chi-squared or G-squared on codes 0 .. levels - 1.")
      .def(py::init(&make_discrete_source), "x"_a, "levels"_a, "statistic"_a = "chisq");
  py::class_<CallbackSource, TestSource>(module, "CallbackSource", "A function (x, y, z) -> p.")
      .def(py::init(&make_compiled_source), "x"_a, "address"_a, py::keep_alive<1, 2>())
      .def(py::init(&make_python_source), "x"_a, "function"_a, py::keep_alive<1, 2>());

  module.def("chi_squared_upper_tail", &chi_squared_upper_tail, "statistic"_a, "degrees_of_freedom"_a);

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
