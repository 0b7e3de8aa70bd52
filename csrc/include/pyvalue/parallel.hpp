// One parallel loop for the whole library.
#pragma once

#include <cstddef>
#include <functional>

#include "pyvalue/monitor.hpp"

namespace pyvalue {

// Calls body(index, worker) for every index below count on at most `threads` threads, 0 <= worker < threads.
// The calling thread is worker 0. The first exception of any worker stops the others (through the monitor, which
// their bodies tick) and is thrown again here. While it waits for the last workers the caller keeps polling.
void parallel_for(std::size_t count, unsigned threads, Monitor& monitor,
                  const std::function<void(std::size_t index, unsigned worker)>& body);

}  // namespace pyvalue
