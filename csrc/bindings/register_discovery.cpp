#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>

#include "arrays.hpp"
#include "pyvalue/bootstrap.hpp"
#include "pyvalue/collinearity.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/pc.hpp"
#include "pyvalue/random.hpp"

namespace pyvalue::bindings {
namespace {

using Progress = std::optional<py::function>;

// Lets Ctrl-C through, and tells Python how far the work is, on the thread that called and with the GIL held.
Monitor::Poll python_poll(const Progress& progress) {
  return [&progress](std::size_t done) {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (progress) (*progress)(done);
  };
}

void check_search(double n, double alpha, int threads) {
  if (!(alpha > 0.0 && alpha < 1.0)) throw py::value_error("alpha must be between 0 and 1");
  if (!(n > 3.0) || !std::isfinite(n)) throw py::value_error("n must be above 3");
  if (threads < 1) throw py::value_error("threads must be at least 1");
}

PcOptions pc_options(double alpha, std::optional<std::size_t> max_depth, int threads) {
  return {alpha, max_depth, static_cast<unsigned>(threads)};
}

py::dict separating_sets(const PcSearch& search) {
  const auto& result = search.skeleton();
  py::dict sets;
  for (std::size_t i = 0; i < result.adjacent.size(); ++i) {
    for (std::size_t j = i + 1; j < result.adjacent.size(); ++j) {
      if (result.adjacent(i, j) != 0 || !result.sets.is_recorded(i, j)) continue;
      const auto members = result.sets.members(i, j);
      if (!members.empty()) sets[py::make_tuple(i, j)] = py::tuple(py::cast(members));
    }
  }
  return sets;
}

py::tuple run_summarise_columns(const Table& x) {
  const MatrixView table = view_of(x, "x");
  const Progress silent;
  Monitor monitor(python_poll(silent));
  ColumnSummary summary;
  {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffer
    summary = summarise_columns(table, monitor);
  }
  return py::make_tuple(array_of(summary.nan), array_of(summary.infinite), array_of(summary.min),
                        array_of(summary.max));
}

py::array_t<double> run_correlation(const Table& x, int threads) {
  const MatrixView table = view_of(x, "x");
  if (threads < 1) throw py::value_error("threads must be at least 1");
  const Progress silent;
  Monitor monitor(python_poll(silent));
  SquareMatrix result;
  {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffer
    result = correlation(table, static_cast<unsigned>(threads), monitor);
  }
  return array_of<double>(result);
}

py::list run_find_dependencies(const Correlation& correlation, double tolerance) {
  py::list found;
  for (const auto& [column, terms] : find_dependencies(square_of(correlation, "correlation"), tolerance))
    found.append(py::make_tuple(column, terms));
  return found;
}

py::tuple run_pc(const Correlation& correlation, double n, double alpha, std::optional<std::size_t> max_depth,
                 int threads) {
  check_search(n, alpha, threads);
  const SquareMatrix matrix = square_of(correlation, "correlation");
  const Progress silent;
  Monitor monitor(python_poll(silent));
  PcSearch search;
  {
    const py::gil_scoped_release no_gil;  // works on its own copy
    search.run(matrix, n, pc_options(alpha, max_depth, threads), monitor);
  }
  const auto& skeleton = search.skeleton();
  return py::make_tuple(array_of<std::int8_t>(search.marks()), separating_sets(search), skeleton.tests,
                        skeleton.singular_tests, skeleton.rounds);
}

py::dict run_bootstrap(const Table& x, std::size_t replicates, std::uint64_t seed, double alpha, double effective_n,
                       std::optional<std::size_t> max_depth, int threads, std::size_t first_replicate,
                       const Progress& progress) {
  check_search(effective_n, alpha, threads);
  const MatrixView table = view_of(x, "x");
  if (table.rows >= 0xFFFFFFFFULL) throw py::value_error("x must have fewer than 2^32 rows");
  Monitor monitor(python_poll(progress));
  const BootstrapOptions options{first_replicate, replicates, seed, effective_n,
                                 pc_options(alpha, max_depth, threads)};
  std::optional<EdgeCounts> counts;
  {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffer; polls take the GIL themselves
    counts = bootstrap(table, options, monitor);
  }
  py::dict result;
  result["directed"] = array_of<std::uint32_t>(counts->directed);
  result["undirected"] = array_of<std::uint32_t>(counts->undirected);
  result["bidirected"] = array_of<std::uint32_t>(counts->bidirected);
  result["absent"] = array_of<std::uint32_t>(counts->absent);
  result["untestable"] = array_of<std::uint32_t>(counts->untestable);
  result["singular_tests"] = counts->singular_tests;
  return result;
}

RowCounts run_resample_counts(std::size_t n, std::uint64_t seed, std::uint64_t replicate) {
  if (n == 0 || n >= 0xFFFFFFFFULL) throw py::value_error("n must be between 1 and 2^32 - 2");
  RowCounts counts(static_cast<py::ssize_t>(n));
  resample_counts(n, seed, replicate, counts.mutable_data());
  return counts;
}

}  // namespace

void register_discovery(py::module_& module) {
  using namespace py::literals;
  module.def("summarise_columns", &run_summarise_columns, "x"_a.noconvert(),
             "Per column of x (n, d): count of NaN, count of infinities, smallest and largest finite value.");
  module.def("correlation", &run_correlation, "x"_a.noconvert(), "threads"_a = 1,
             "Pearson correlations (d, d) of the columns of x (n, d).");
  module.def("find_dependencies", &run_find_dependencies, "correlation"_a.noconvert(), "tolerance"_a,
             "Columns of which the earlier ones leave less than tolerance of the variance: (column, terms) each.");
  module.def("pc", &run_pc, "correlation"_a.noconvert(), "n"_a, "alpha"_a = 0.05, "max_depth"_a = py::none(),
             "threads"_a = 1,
             "PC on correlations (d, d) of n rows: end marks (d, d), non-empty separating sets by pair, tests, "
             "tests that were singular, rounds.");
  module.def("bootstrap", &run_bootstrap, "x"_a.noconvert(), "replicates"_a, "seed"_a, "alpha"_a, "effective_n"_a,
             "max_depth"_a = py::none(), "threads"_a = 1, "first_replicate"_a = 0, "progress"_a = py::none(),
             "PC on bootstrap replicates of x (n, d): counts (d, d) of every kind of edge.");
  module.def("resample_counts", &run_resample_counts, "n"_a, "seed"_a, "replicate"_a,
             "How often each of n rows is drawn in this replicate, (n,).");
}

}  // namespace pyvalue::bindings
