#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "pyvalue/parallel.hpp"

using namespace pyvalue;

TEST(every_index_runs_once) {
  for (const unsigned threads : {1U, 2U, 7U}) {
    for (const std::size_t count : {0UL, 1UL, 5UL, 100UL}) {
      std::vector<std::atomic<int>> runs(count);
      Monitor monitor;
      parallel_for(count, threads, monitor, [&](std::size_t index, unsigned worker) {
        CHECK(worker < threads);
        ++runs[index];
      });
      for (const auto& run : runs) CHECK(run == 1);
    }
  }
}

TEST(an_exception_of_any_worker_reaches_the_caller) {
  for (const unsigned threads : {1U, 2U, 7U}) {
    Monitor monitor;
    std::string caught;
    try {
      parallel_for(1000, threads, monitor, [](std::size_t index, unsigned) {
        if (index == 500) throw std::runtime_error("index 500");
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    CHECK(caught == "index 500");
    CHECK(monitor.cancelled());
  }
}

// The poll fails while helpers are at work: they stop, and the caller gets the poll's exception, not Cancelled.
TEST(a_failing_poll_stops_all_workers) {
  Monitor monitor([](std::size_t) { throw std::domain_error("interrupted"); });
  std::atomic<int> started{0};
  bool caught = false;
  try {
    parallel_for(4, 4, monitor, [&](std::size_t, unsigned) {
      ++started;
      for (int step = 0; step < 100000; ++step) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        monitor.tick();
      }
    });
  } catch (const std::domain_error&) {
    caught = true;
  }
  CHECK(caught);
  CHECK(started >= 1);
}
