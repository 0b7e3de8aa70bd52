#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/collinearity.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/resampling.hpp"

namespace pyvalue::bindings {
namespace {

py::tuple run_summarise_columns(const TableHolder& x) {
  const Progress silent;
  Monitor monitor(python_poll(silent));
  ColumnSummary summary;
  {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffers
    summary = summarise_columns(x.table, monitor);
  }
  return py::make_tuple(array_of(summary.nan), array_of(summary.infinite), array_of(summary.min),
                        array_of(summary.max));
}

py::array_t<double> run_correlation(const TableHolder& x, int threads) {
  if (threads < 1) throw py::value_error("threads must be at least 1");
  const Progress silent;
  Monitor monitor(python_poll(silent));
  SquareMatrix result;
  {
    const py::gil_scoped_release no_gil;  // reads only the caller's buffers
    result = correlation(x.table, static_cast<unsigned>(threads), monitor);
  }
  return array_of<double>(result);
}

py::list run_find_dependencies(const SquareArray& correlation, double tolerance) {
  py::list found;
  for (const auto& [column, terms] : find_dependencies(square_of<double>(correlation, "correlation"), tolerance))
    found.append(py::make_tuple(column, terms));
  return found;
}

Clusters clusters_of(const Labels& labels) {
  Clusters clusters{{labels.data(), labels.data() + labels.size()}, 0};
  for (const std::uint32_t cluster : clusters.of_row)
    clusters.count = std::max(clusters.count, static_cast<std::size_t>(cluster) + 1);
  return clusters;
}

Resampling make_resampling(std::size_t rows, Scheme scheme, std::uint64_t seed, std::optional<std::size_t> draws,
                           const std::vector<Labels>& labels) {
  if (rows == 0 || rows >= 0xFFFFFFFFULL) throw py::value_error("rows must be between 1 and 2^32 - 2");
  std::vector<Clusters> clusters;
  for (const Labels& of_row : labels) clusters.push_back(clusters_of(of_row));
  return {rows, scheme, seed, draws, std::move(clusters)};
}

RowCounts run_draw(const Resampling& resampling, std::uint64_t replicate) {
  RowCounts counts(static_cast<py::ssize_t>(resampling.rows()));
  resampling.draw(replicate, counts.mutable_data());
  return counts;
}

std::vector<std::size_t> run_shuffle(std::uint64_t seed, std::uint64_t replicate, std::vector<std::size_t> columns) {
  shuffle_columns(seed, replicate, columns);
  return columns;
}

}  // namespace

void register_data(py::module_& module) {
  using namespace py::literals;
  py::class_<TableHolder>(module, "Table", "A view of an (n, d) array, or of d arrays (n,) of any number types.")
      .def(py::init(&table_of), "x"_a)
      .def_property_readonly("rows", [](const TableHolder& holder) { return holder.table.rows(); })
      .def_property_readonly("cols", [](const TableHolder& holder) { return holder.table.cols(); });
  py::enum_<Scheme>(module, "Scheme")
      .value("with_replacement", Scheme::with_replacement)
      .value("without_replacement", Scheme::without_replacement)
      .value("complementary_pairs", Scheme::complementary_pairs);
  py::class_<Resampling>(module, "Resampling", "How often each of n rows is in a replicate.")
      .def(py::init(&make_resampling), "rows"_a, "scheme"_a = Scheme::with_replacement, "seed"_a = 0,
           "draws"_a = py::none(), "clusters"_a = std::vector<Labels>())
      .def("draw", &run_draw, "replicate"_a, "Row counts (n,).");
  module.def("shuffle_columns", &run_shuffle, "seed"_a, "replicate"_a, "columns"_a,
             "The order in which a replicate sees these columns.");
  module.def("summarise_columns", &run_summarise_columns, "x"_a,
             "Per column: count of NaN, count of infinities, smallest and largest value.");
  module.def("correlation", &run_correlation, "x"_a, "threads"_a = 1, "Pearson correlations (d, d).");
  module.def("find_dependencies", &run_find_dependencies, "correlation"_a.noconvert(), "tolerance"_a,
             "Columns of which the earlier ones leave less than tolerance of the variance: (column, terms) each.");
}

}  // namespace pyvalue::bindings
