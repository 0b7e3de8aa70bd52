#include "pyvalue/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace pyvalue {
namespace {

class Loop {
 public:
  Loop(std::size_t count, Monitor& monitor, const std::function<void(std::size_t, unsigned)>& body)
      : count_(count), monitor_(monitor), body_(body) {}

  void work(unsigned worker) noexcept {
    try {
      for (std::size_t index = next_++; index < count_; index = next_++) {
        if (monitor_.cancelled()) throw Cancelled{};
        body_(index, worker);
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    ++finished_;
    changed_.notify_one();
  }

  void wait_for(std::size_t workers) noexcept {
    std::unique_lock lock(mutex_);
    while (finished_ < workers) {
      changed_.wait_for(lock, Monitor::poll_interval);
      lock.unlock();
      try {
        if (!monitor_.cancelled()) monitor_.poll_if_due();
      } catch (...) {
        fail(std::current_exception());
      }
      lock.lock();
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // The failure is stored before the others are told to stop: their Cancelled must not take its place.
  void fail(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    monitor_.cancel();
  }

  std::size_t count_;
  Monitor& monitor_;
  const std::function<void(std::size_t, unsigned)>& body_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t finished_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void parallel_for(std::size_t count, unsigned threads, Monitor& monitor,
                  const std::function<void(std::size_t index, unsigned worker)>& body) {
  const std::size_t workers = std::max<std::size_t>(1, std::min<std::size_t>(threads, count));
  Loop loop(count, monitor, body);
  std::vector<std::jthread> helpers;
  helpers.reserve(workers - 1);
  for (unsigned worker = 1; worker < workers; ++worker) {
    helpers.emplace_back([&loop, worker] {
      loop.work(worker);
      loop.finish();
    });
  }
  loop.work(0);
  loop.wait_for(workers - 1);
  helpers.clear();
  loop.rethrow();
}

}  // namespace pyvalue
