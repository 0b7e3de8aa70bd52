// What is known about edges before any test. Tiers and context variables come here as forbidden directions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pyvalue/square.hpp"

namespace pyvalue {

class Knowledge {
 public:
  Knowledge() = default;  // none
  Knowledge(Square<std::uint8_t> forbidden, Square<std::uint8_t> required)
      : forbidden_(std::move(forbidden)), required_(std::move(required)) {}

  bool empty() const { return forbidden_.size() == 0; }

  bool allows(std::size_t from, std::size_t to) const {
    return empty() || (forbidden_(from, to) == 0 && required_(to, from) == 0);
  }
  bool forbids_edge(std::size_t i, std::size_t j) const { return !allows(i, j) && !allows(j, i); }
  bool requires_edge(std::size_t i, std::size_t j) const {
    return !empty() && (required_(i, j) != 0 || required_(j, i) != 0);
  }

  // Of some of the variables, in a new order.
  Knowledge of(const std::vector<std::size_t>& variables) const {
    if (empty()) return {};
    Square<std::uint8_t> forbidden(variables.size()), required(variables.size());
    for (std::size_t i = 0; i < variables.size(); ++i) {
      for (std::size_t j = 0; j < variables.size(); ++j) {
        forbidden(i, j) = forbidden_(variables[i], variables[j]);
        required(i, j) = required_(variables[i], variables[j]);
      }
    }
    return {std::move(forbidden), std::move(required)};
  }

 private:
  Square<std::uint8_t> forbidden_;  // (i, j): not i --> j
  Square<std::uint8_t> required_;   // (i, j): i --> j
};

}  // namespace pyvalue
