// Tests of categorical columns: statistics of contingency tables, and the search's way through them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/effective_rows.hpp"
#include "pyvalue/coded_rows.hpp"
#include "pyvalue/contingency_table.hpp"
#include "pyvalue/discrete_statistic.hpp"
#include "pyvalue/stratified_rows.hpp"

namespace pyvalue {

class DiscreteTest final : public CiTest {
 public:
  // The rows are kept by reference. effective: rows that the p-values are told of.
  DiscreteTest(const CodedRows& rows, DiscreteStatistic::Kind kind, EffectiveRows effective, double alpha)
      : CiTest(0, alpha), rows_(rows), statistic_(kind), effective_(std::move(effective)) {}

  // To be called after the rows changed.
  void set_columns(const std::vector<std::size_t>& columns);

  const CodedRows& rows() const { return rows_; }
  std::size_t column(std::size_t variable) const { return columns_[variable]; }
  const DiscreteStatistic& statistic() const { return statistic_; }

  double p_value(const TestStatistic& statistic, std::size_t x, std::size_t y) const;

  // Whether p > alpha; without p where bounds of it are enough.
  bool is_independent(const TestStatistic& statistic, std::size_t x, std::size_t y) const;

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override;

 private:
  const CodedRows& rows_;
  DiscreteStatistic statistic_;
  EffectiveRows effective_;
  std::vector<std::size_t> columns_;
};

// One table of x and some neighbours holds the tests of x against each of these given the others, so the sweep goes
// through sets of neighbours with one member more than a conditioning set.
class DiscreteSweep final : public Sweep {
 public:
  explicit DiscreteSweep(const DiscreteTest& test) : test_(test) {}

  void run(const Task& task, Monitor& monitor) override;
  bool is_separated(std::size_t y) const override { return separated_[y] != 0; }
  bool is_separator(std::size_t y, std::size_t s) const override { return separators_[y * neighbours_ + s] != 0; }
  double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) override;

 private:
  void test_tables(const Task& task, Monitor& monitor);
  void test_strata(const Task& task, Monitor& monitor);
  void record(const Task& task, const TestStatistic& statistic, std::size_t y, std::size_t last);

  const DiscreteTest& test_;
  ContingencyTable table_;
  StratifiedRows strata_;
  std::size_t neighbours_ = 0;
  std::vector<std::uint8_t> separated_;
  std::vector<std::uint8_t> separators_;
  std::vector<std::size_t> members_;  // of the current set, as indices of neighbours
  std::vector<std::size_t> base_;     // their columns
};

}  // namespace pyvalue
