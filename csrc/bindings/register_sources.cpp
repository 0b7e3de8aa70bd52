#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>
#include <string>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/bivariate_normal.hpp"
#include "pyvalue/correlation_source.hpp"
#include "pyvalue/degenerate_gaussian_source.hpp"
#include "pyvalue/discrete_source.hpp"
#include "pyvalue/missing_source.hpp"
#include "pyvalue/nearest_correlation.hpp"
#include "pyvalue/pearson_source.hpp"
#include "pyvalue/polychoric_source.hpp"
#include "pyvalue/spearman_source.hpp"
#include "pyvalue/special_functions.hpp"

namespace pyvalue::bindings {
namespace {

std::unique_ptr<PearsonSource> make_pearson_source(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return std::make_unique<PearsonSource>(x.table, monitor);
}

std::unique_ptr<MissingSource> make_missing_source(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  if (x.table.rows() == 0) throw py::value_error("x must have rows");
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
  return std::make_unique<MissingSource>(x.table, monitor);
}

std::unique_ptr<DegenerateGaussianSource> make_degenerate_gaussian_source(const TableHolder& x,
                                                                          std::vector<std::size_t> levels) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  const py::gil_scoped_release no_gil;  // reads only the caller's buffers
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

}  // namespace

// After register_tests, which has their base.
void register_sources(py::module_& module) {
  using namespace py::literals;
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
  py::class_<CorrelationSource, TestSource>(module, "CorrelationSource", "Fisher's z on other correlations.")
      .def("correlation", &correlation_of_source, "counts"_a = py::none(),
           "The matrix (d, d) under the test, on all rows or where row r counts counts[r] times; NaN where constant.")
      .def_property_readonly("information", &CorrelationSource::information,
                             "Share of information that every column keeps; a pair is worth n times both its shares.")
      .def_property_readonly("repairs", &CorrelationSource::repairs,
                             "Matrices so far, of tests and replicates, that belonged to no data and were replaced.");
  py::class_<SpearmanSource, CorrelationSource>(module, "SpearmanSource", "Fisher's z on 2 sin(pi / 6 Spearman's rho).")
      .def(py::init(&make_spearman_source), "x"_a, py::keep_alive<1, 2>());
  py::class_<PolychoricSource, CorrelationSource>(module, "PolychoricSource", "Fisher's z on polychoric correlations.")
      .def(py::init(&make_polychoric_source), "x"_a, "levels"_a, py::keep_alive<1, 2>(),
           "x holds codes 0 .. levels[column] - 1 in the order of the levels.");
  module.def("nearest_correlation", &run_nearest_correlation, "matrix"_a.noconvert(), "smallest_eigenvalue"_a = 0.0,
             "The nearest matrix (d, d) with a unit diagonal and no eigenvalue below the smallest.");
  module.def("bivariate_normal_cdf", &bivariate_normal_cdf, "h"_a, "k"_a, "r"_a, "P(X < h, Y < k).");
  module.def("chi_squared_upper_tail", &chi_squared_upper_tail, "statistic"_a, "degrees_of_freedom"_a);
}

}  // namespace pyvalue::bindings
