#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>

#include "arrays.hpp"
#include "progress.hpp"
#include "pyvalue/bootstrap.hpp"
#include "pyvalue/pc.hpp"
#include "test_handle.hpp"

namespace pyvalue::bindings {
namespace {

struct SearchOptions {
  PcOptions pc;
  Knowledge knowledge;
};

SearchOptions search_options(std::size_t variables, std::optional<std::size_t> max_depth, ColliderRule rule,
                             ColliderPriority priority, const std::optional<FlagArray>& forbidden,
                             const std::optional<FlagArray>& required, int threads) {
  if (threads < 1) throw py::value_error("threads must be at least 1");
  SearchOptions options{{max_depth, rule, priority, static_cast<unsigned>(threads)}, {}};
  if (!forbidden && !required) return options;
  if (!forbidden || !required) throw py::value_error("forbidden and required come together");
  options.knowledge = {square_of<std::uint8_t>(*forbidden, "forbidden"), square_of<std::uint8_t>(*required, "required")};
  if (static_cast<std::size_t>(forbidden->shape(0)) != variables ||
      static_cast<std::size_t>(required->shape(0)) != variables)
    throw py::value_error("forbidden and required must have one row and column a variable");
  return options;
}

// Pairs i < j (pairs, 2) without an edge that a set separated, where each one's set ends (pairs,), and the sets.
py::tuple separating_sets(const PcSearch& search) {
  const auto& result = search.skeleton();
  std::vector<std::uint32_t> pairs, ends, members;
  for (std::size_t i = 0; i < result.adjacent.size(); ++i) {
    for (std::size_t j = i + 1; j < result.adjacent.size(); ++j) {
      if (result.adjacent(i, j) != 0 || !result.sets.is_recorded(i, j)) continue;
      const auto set = result.sets.members(i, j);
      if (set.empty()) continue;
      for (const std::size_t end : {i, j}) pairs.push_back(static_cast<std::uint32_t>(end));
      for (const std::size_t member : set) members.push_back(static_cast<std::uint32_t>(member));
      ends.push_back(static_cast<std::uint32_t>(members.size()));
    }
  }
  const auto count = static_cast<py::ssize_t>(ends.size());
  return py::make_tuple(array_of(pairs).reshape({count, py::ssize_t{2}}), array_of(ends), array_of(members));
}

py::tuple run_pc(const TestHandle& handle, std::optional<std::size_t> max_depth, ColliderRule rule,
                 ColliderPriority priority, const std::optional<FlagArray>& forbidden,
                 const std::optional<FlagArray>& required, int threads, const Progress& progress) {
  auto [options, knowledge] =
      search_options(handle.test().variables(), max_depth, rule, priority, forbidden, required, threads);
  options.report_sweeps = true;
  Monitor monitor(python_poll(progress));
  PcSearch search;
  {
    const py::gil_scoped_release no_gil;  // the test reads only its own data, or takes the GIL itself
    search.run(handle.test(), knowledge, options, monitor);
  }
  const auto& skeleton = search.skeleton();
  return py::make_tuple(array_of<std::int8_t>(search.marks()), separating_sets(search), skeleton.tests,
                        search.singular_tests(), skeleton.rounds);
}

py::dict run_bootstrap(const TestSource& source, const Resampling& resampling, std::size_t replicates, double n,
                       double alpha, std::optional<std::size_t> max_depth, ColliderRule rule,
                       ColliderPriority priority, const std::optional<FlagArray>& forbidden,
                       const std::optional<FlagArray>& required, bool shuffle, int threads,
                      
                       std::size_t first_replicate, bool keep, const std::optional<SquareArray>& shares,
                       const Progress& progress) {
  if (!(alpha > 0.0 && alpha < 1.0)) throw py::value_error("alpha must be between 0 and 1");
  if (!(n > 3.0) || !std::isfinite(n)) throw py::value_error("n must be above 3");
  if (resampling.rows() != source.rows()) throw py::value_error("resampling and source must have the same rows");
  const auto [pc, knowledge] =
      search_options(source.cols(), max_depth, rule, priority, forbidden, required, threads);
  const BootstrapOptions options{first_replicate, replicates, effective_rows(n, shares, source.cols()), alpha, shuffle,
                                 pc};
  const std::size_t pairs = source.cols() * (source.cols() - 1) / 2;
  py::array_t<std::uint8_t> kinds({static_cast<py::ssize_t>(keep ? replicates : 0), static_cast<py::ssize_t>(pairs)});
  auto* first_kind = keep ? reinterpret_cast<EdgeKind*>(kinds.mutable_data()) : nullptr;
  Monitor monitor(python_poll(progress));
  std::optional<EdgeCounts> counts;
  {
    const py::gil_scoped_release no_gil;  // reads only the source's data; polls and Python tests take the GIL
    counts = bootstrap(source, resampling, knowledge, options, first_kind, monitor);
  }
  py::dict result;
  result["directed"] = array_of<std::uint32_t>(counts->directed);
  result["undirected"] = array_of<std::uint32_t>(counts->undirected);
  result["bidirected"] = array_of<std::uint32_t>(counts->bidirected);
  result["absent"] = array_of<std::uint32_t>(counts->absent);
  result["untestable"] = array_of<std::uint32_t>(counts->untestable);
  result["singular_tests"] = counts->singular_tests;
  result["kinds"] = kinds;
  return result;
}

}  // namespace

void register_search(py::module_& module) {
  using namespace py::literals;
  py::enum_<ColliderRule>(module, "ColliderRule")
      .value("sepset", ColliderRule::separating_set)
      .value("maxp", ColliderRule::max_p)
      .value("definite_maxp", ColliderRule::definite_max_p)
      .value("conservative", ColliderRule::conservative)
      .value("majority", ColliderRule::majority);
  py::enum_<ColliderPriority>(module, "ColliderPriority")
      .value("overwrite", ColliderPriority::overwrite)
      .value("bidirect", ColliderPriority::bidirect)
      .value("existing", ColliderPriority::existing)
      .value("stronger", ColliderPriority::stronger)
      .value("stronger_without", ColliderPriority::stronger_without);
  module.def("pc", &run_pc, "test"_a, "max_depth"_a = py::none(), "rule"_a = ColliderRule::separating_set,
             "priority"_a = ColliderPriority::existing, "forbidden"_a = py::none(), "required"_a = py::none(),
             "threads"_a = 1, "progress"_a = py::none(),
             "PC: end marks (d, d), non-empty separating sets (pairs (k, 2), ends (k,), members), tests, tests without an "
             "answer, rounds.");
  module.def("bootstrap", &run_bootstrap, "source"_a, "resampling"_a, "replicates"_a, "n"_a, "alpha"_a = 0.05,
             "max_depth"_a = py::none(), "rule"_a = ColliderRule::separating_set,
             "priority"_a = ColliderPriority::existing, "forbidden"_a = py::none(), "required"_a = py::none(),
             "shuffle_columns"_a = true, "threads"_a = 1, "first_replicate"_a = 0, "keep"_a = false,
             "shares"_a = py::none(), "progress"_a = py::none(),
             "PC on replicates: counts (d, d) of every kind of edge, and the kinds (replicates, pairs) themselves.");
}

}  // namespace pyvalue::bindings
