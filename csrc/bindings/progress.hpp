// Progress and Ctrl-C of a computation that runs without the GIL.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>

#include <functional>
#include <optional>

#include "pyvalue/monitor.hpp"

namespace pyvalue::bindings {

using Progress = std::optional<std::function<void(std::size_t done)>>;

// Runs on the thread that called, with the GIL held.
inline Monitor::Poll python_poll(const Progress& progress) {
  return [&progress](std::size_t done) {
    const pybind11::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    if (progress) (*progress)(done);
  };
}

}  // namespace pyvalue::bindings
