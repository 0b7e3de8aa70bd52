// How many independent rows the rows are worth, for each pair of columns.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "pyvalue/square.hpp"

namespace pyvalue {

// Tests of x and y are told of all() times the pair's share. Shares come from clustered rows, which repeat each other
// more in some columns than in others, and from coefficients that are worth less than Pearson's.
class EffectiveRows {
 public:
  EffectiveRows(double all, SquareMatrix shares = {}) : all_(all), shares_(std::move(shares)) {}

  double all() const { return all_; }
  bool is_one_for_all() const { return shares_.size() == 0; }
  double of(std::size_t x, std::size_t y) const { return is_one_for_all() ? all_ : all_ * shares_(x, y); }

  // Of these columns, in this order.
  EffectiveRows of_columns(const std::vector<std::size_t>& columns) const {
    if (is_one_for_all()) return all_;
    SquareMatrix shares(columns.size());
    for (std::size_t a = 0; a < columns.size(); ++a)
      for (std::size_t b = 0; b < columns.size(); ++b) shares(a, b) = shares_(columns[a], columns[b]);
    return {all_, std::move(shares)};
  }

  // Where the coefficient of i and j keeps information[i] information[j] of what Pearson's would.
  EffectiveRows with_information(const std::vector<double>& information) const {
    SquareMatrix shares(information.size(), 1.0);
    for (std::size_t i = 0; i < information.size(); ++i)
      for (std::size_t j = 0; j < information.size(); ++j)
        shares(i, j) = information[i] * information[j] * (is_one_for_all() ? 1.0 : shares_(i, j));
    return {all_, std::move(shares)};
  }

 private:
  double all_;
  SquareMatrix shares_;  // (columns, columns), or empty
};

}  // namespace pyvalue
