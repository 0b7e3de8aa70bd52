// Rows sorted by the strata that occur, for tables with too many cells to be laid out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyvalue/coded_rows.hpp"
#include "pyvalue/discrete_statistic.hpp"

namespace pyvalue {

class StratifiedRows {
 public:
  // Sorts the rows by the values of `given`, and by x within each stratum. What one row alone makes up is left out: it
  // says nothing about x and y.
  void sort(const CodedRows& rows, std::size_t x, std::span<const std::size_t> given);

  TestStatistic test(const CodedRows& rows, std::size_t y, const DiscreteStatistic& statistic);

 private:
  struct Segment {
    std::uint32_t first, last;  // order_[first .. last - 1]
  };

  // Sorts the rows of a segment by their codes and appends a segment for each code that occurs.
  void split(Segment segment, const Code* codes, std::vector<Segment>& parts);

  std::vector<std::uint32_t> order_;
  std::vector<Segment> strata_;
  std::vector<Segment> finer_;
  std::vector<Segment> of_x_;            // rows of a stratum with one level of x
  std::vector<std::size_t> first_of_x_;  // those of stratum s are from first_of_x_[s] to first_of_x_[s + 1]

  // Scratch. Counts are by code, and zero whenever they are not in use: clearing them costs no more than filling them.
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint32_t> columns_;
  std::vector<Code> seen_;
  std::vector<Code> y_of_row_;
  std::vector<std::uint32_t> sorted_;
};

}  // namespace pyvalue
