// For every removed pair, the union of all sets that separated it in the round in which it was removed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pyvalue {

// A pair can be separated from both of its ends; each end keeps its own union, so that threads that work on
// different x never write to the same memory.
class SeparatingSets {
 public:
  void reset(std::size_t variables) {
    variables_ = variables;
    where_.assign(variables * variables, none);
    if (members_.size() < variables) members_.resize(variables);
    for (auto& list : members_) list.clear();
  }

  // Thread-safe for different x. A pair is recorded once for each of its ends.
  void open(std::size_t x, std::size_t y) {
    where_[x * variables_ + y] = static_cast<std::int64_t>(members_[x].size());
    members_[x].push_back(0);
  }

  void append(std::size_t x, std::size_t y, std::size_t member) {
    members_[x].push_back(static_cast<std::uint32_t>(member));
    ++members_[x][static_cast<std::size_t>(where_[x * variables_ + y])];
  }

  bool contains(std::size_t x, std::size_t y, std::size_t member) const {
    return side_contains(x, y, member) || side_contains(y, x, member);
  }

  bool is_recorded(std::size_t x, std::size_t y) const {
    return where_[x * variables_ + y] != none || where_[y * variables_ + x] != none;
  }

  // Sorted members of the union over both ends.
  std::vector<std::size_t> members(std::size_t x, std::size_t y) const {
    std::vector<std::size_t> all;
    for (const auto list : {side(x, y), side(y, x)}) all.insert(all.end(), list.begin(), list.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

 private:
  static constexpr std::int64_t none = -1;

  std::span<const std::uint32_t> side(std::size_t x, std::size_t y) const {
    const std::int64_t at = where_[x * variables_ + y];
    if (at == none) return {};
    const std::uint32_t* head = members_[x].data() + at;
    return {head + 1, *head};
  }

  bool side_contains(std::size_t x, std::size_t y, std::size_t member) const {
    const auto list = side(x, y);
    return std::find(list.begin(), list.end(), static_cast<std::uint32_t>(member)) != list.end();
  }

  std::size_t variables_ = 0;
  std::vector<std::int64_t> where_;
  std::vector<std::vector<std::uint32_t>> members_;
};

}  // namespace pyvalue
