#include <pybind11/pybind11.h>

namespace pyvalue::bindings {
void register_discovery(pybind11::module_& module);
}

PYBIND11_MODULE(_core, module) {
  module.doc() = "Compiled algorithms of pyvalue; use the public functions of the package instead.";
  pyvalue::bindings::register_discovery(module);
}
