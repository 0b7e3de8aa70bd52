// Progress and cooperative cancellation of a long computation.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

namespace pyvalue {

struct Cancelled : std::exception {
  const char* what() const noexcept override { return "the computation was cancelled"; }
};

// Workers call tick() often. The thread that made the monitor also runs the caller's poll there, at most every
// poll_interval; whatever poll throws ends the computation.
class Monitor {
 public:
  using Poll = std::function<void(std::size_t done)>;
  static constexpr std::chrono::milliseconds poll_interval{50};

  explicit Monitor(Poll poll = {}) : poll_(std::move(poll)) {}

  void tick() {
    if (cancelled()) throw Cancelled{};
    if (++ticks_of_this_thread() % ticks_per_clock_read == 0) poll_if_due();
  }

  // Of work that takes longer than reading the clock: looks every time.
  void tick_slowly() {
    if (cancelled()) throw Cancelled{};
    poll_if_due();
  }

  void poll_if_due();
  void advance(std::size_t steps = 1) { done_.fetch_add(steps, std::memory_order_relaxed); }
  std::size_t done() const { return done_.load(std::memory_order_relaxed); }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  // Reading the clock costs about as much as a small conditioning set; a tick is at most some microseconds apart.
  static constexpr unsigned ticks_per_clock_read = 32;

  static unsigned& ticks_of_this_thread() {
    thread_local unsigned ticks = 0;
    return ticks;
  }

  Poll poll_;
  std::thread::id owner_ = std::this_thread::get_id();
  std::chrono::steady_clock::time_point last_poll_ = std::chrono::steady_clock::now();
  std::atomic<std::size_t> done_{0};
  std::atomic<bool> cancelled_{false};
};

}  // namespace pyvalue
