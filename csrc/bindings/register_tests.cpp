#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/bivariate_normal.hpp"
#include "pyvalue/callback_source.hpp"
#include "pyvalue/correlation_source.hpp"
#include "pyvalue/fisher_z.hpp"
#include "pyvalue/nearest_correlation.hpp"
#include "pyvalue/pearson_source.hpp"
#include "pyvalue/polychoric_source.hpp"
#include "pyvalue/spearman_source.hpp"
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

std::unique_ptr<SpearmanSource> make_spearman_source(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return std::make_unique<SpearmanSource>(x.table, monitor);
}

std::unique_ptr<PolychoricSource> make_polychoric_source(const TableHolder& x, const std::vector<std::size_t>& levels) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return std::make_unique<PolychoricSource>(x.table, levels, monitor);
}

py::array_t<double> correlation_of_source(const CorrelationSource& source, const std::optional<RowCounts>& counts) {
  std::vector<RowCount> list(source.rows(), 1);
  if (counts) {
    if (counts->ndim() != 1 || static_cast<std::size_t>(counts->shape(0)) != source.rows())
      throw py::value_error("counts must have one entry a row");
    for (std::size_t row = 0; row < list.size(); ++row) list[row] = counts->at(static_cast<py::ssize_t>(row));
  }
  const Progress silent;
  Monitor monitor(python_poll(silent));
  SquareMatrix result;
  {
    const py::gil_scoped_release no_gil;  // reads only the source's own data
    result = source.correlation(list.data(), monitor);
  }
  return array_of<double>(result);
}

py::array_t<double> run_nearest_correlation(const SquareArray& matrix, double smallest_eigenvalue) {
  const auto entries = square_of<double>(matrix, "matrix");
  for (std::size_t index = 0; index < entries.size() * entries.size(); ++index)
    if (!std::isfinite(entries.data()[index])) throw py::value_error("matrix must be finite");
  const Progress silent;
  Monitor monitor(python_poll(silent));
  return array_of<double>(nearest_correlation(entries, smallest_eigenvalue, monitor));
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
  py::class_<CorrelationSource, TestSource>(module, "CorrelationSource", "Fisher's z on other correlations.")
      .def("correlation", &correlation_of_source, "counts"_a = py::none(),
           "The matrix (d, d) under the test, on all rows or where row r counts counts[r] times; NaN where constant.")
      .def_property_readonly("efficiency", &CorrelationSource::efficiency,
                             "Share of the rows that the coefficients are worth; the tests are told of so many.")
      .def_property_readonly("repairs", &CorrelationSource::repairs,
                             "Matrices so far, of tests and replicates, that belonged to no data and were replaced.");
  py::class_<SpearmanSource, CorrelationSource>(module, "SpearmanSource", "Fisher's z on 2 sin(pi / 6 Spearman's rho).")
      .def(py::init(&make_spearman_source), "x"_a, py::keep_alive<1, 2>());
  py::class_<PolychoricSource, CorrelationSource>(module, "PolychoricSource", "Fisher's z on polychoric correlations.")
      .def(py::init(&make_polychoric_source), "x"_a, "levels"_a, py::keep_alive<1, 2>(),
           "x holds codes 0 .. levels[column] - 1 in the order of the levels.");
  py::class_<CallbackSource, TestSource>(module, "CallbackSource", "A function (x, y, z) -> p.")
      .def(py::init(&make_compiled_source), "x"_a, "address"_a, py::keep_alive<1, 2>())
      .def(py::init(&make_python_source), "x"_a, "function"_a, py::keep_alive<1, 2>());

  module.def("nearest_correlation", &run_nearest_correlation, "matrix"_a.noconvert(), "smallest_eigenvalue"_a = 0.0,
             "The nearest matrix (d, d) with a unit diagonal and no eigenvalue below the smallest.");
  module.def("bivariate_normal_cdf", &bivariate_normal_cdf, "h"_a, "k"_a, "r"_a, "P(X < h, Y < k).");
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
