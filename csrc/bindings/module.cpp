#include <pybind11/pybind11.h>

namespace pyvalue::bindings {
void register_data(pybind11::module_& module);
void register_tests(pybind11::module_& module);
void register_sources(pybind11::module_& module);
void register_search(pybind11::module_& module);
}  // namespace pyvalue::bindings

PYBIND11_MODULE(_core, module) {
  module.doc() = "Compiled algorithms of pyvalue; use the public functions of the package instead.";
  pyvalue::bindings::register_data(module);
  pyvalue::bindings::register_tests(module);
  pyvalue::bindings::register_sources(module);
  pyvalue::bindings::register_search(module);
}
