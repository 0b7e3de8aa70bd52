#include "pyvalue/monitor.hpp"

namespace pyvalue {

void Monitor::poll_if_due() {
  if (!poll_ || std::this_thread::get_id() != owner_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_poll_ < poll_interval) return;
  last_poll_ = now;
  poll_(done());
}

}  // namespace pyvalue
