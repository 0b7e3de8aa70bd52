#include "pyvalue/discrete_test.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pyvalue/special_functions.hpp"

namespace pyvalue {

void DiscreteTest::set_columns(const std::vector<std::size_t>& columns) {
  columns_ = columns;
  variables_ = columns.size();
  statistic_.prepare(rows_.rows());
}

double DiscreteTest::p_value(const TestStatistic& statistic, std::size_t x, std::size_t y) const {
  if (statistic.degrees_of_freedom == 0.0) return 1.0;
  const double scale = effective_.of(columns_[x], columns_[y]) / static_cast<double>(rows_.rows());
  return chi_squared_upper_tail(statistic.value * scale, statistic.degrees_of_freedom);
}

bool DiscreteTest::is_independent(const TestStatistic& statistic, std::size_t x, std::size_t y) const {
  constexpr double rounding = 1e-9;
  const double df = statistic.degrees_of_freedom;
  const double value = statistic.value * (effective_.of(columns_[x], columns_[y]) / static_cast<double>(rows_.rows()));
  // The median is above df - 2/3 (Chen & Rubin 1986), so p is above a half below that.
  if (value < df - 1.0 && alpha_ < 0.5 - rounding) return true;
  // Chernoff's bound: p <= exp(-(value - df) / 2) (value / df)^(df / 2) above the mean.
  if (value > df && df > 0.0 && 0.5 * (df - value + df * std::log(value / df)) < std::log(alpha_) - rounding)
    return false;
  return p_value(statistic, x, y) > alpha_;
}

std::unique_ptr<Sweep> DiscreteTest::make_sweep() const { return std::make_unique<DiscreteSweep>(*this); }

double DiscreteTest::nanoseconds() const {
  constexpr double of_the_statistic = 200.0;
  double levels = 0.0;
  for (const std::size_t column : columns_) levels += static_cast<double>(rows_.levels(column));
  levels /= static_cast<double>(std::max<std::size_t>(1, columns_.size()));
  // Tests given one variable, of which a table holds two.
  return of_the_statistic + 0.5 * ContingencyTable::nanoseconds(contingency_kernels(), rows_.rows(), levels, 2);
}

void DiscreteSweep::run(const Task& task, Monitor& monitor) {
  neighbours_ = task.neighbours.size();
  separated_.assign(neighbours_, 0);
  separators_.assign(neighbours_ * neighbours_, 0);
  if (task.candidates < task.order) return;
  members_.resize(task.order);
  std::iota(members_.begin(), members_.end(), std::size_t{0});
  base_.resize(task.order);
  do {
    for (std::size_t index = 0; index < task.order; ++index)
      base_[index] = test_.column(task.neighbours[members_[index]]);
    table_.set_base(test_.rows(), test_.column(task.x), base_);
    test_tables(task, monitor);
    test_strata(task, monitor);
  } while (next_subset(members_, task.candidates));
}

// Every set of variables comes once: its last one is added to the others.
void DiscreteSweep::test_tables(const Task& task, Monitor& monitor) {
  for (std::size_t last = members_.empty() ? 0 : members_.back() + 1; last < neighbours_; ++last) {
    const std::size_t column = test_.column(task.neighbours[last]);
    const bool can_condition = last < task.candidates;
    const auto is_wanted = [&](std::size_t member) { return task.fixed[member] == 0; };
    if (table_.is_too_large_with(column)) continue;
    if (!is_wanted(last) && !(can_condition && std::any_of(members_.begin(), members_.end(), is_wanted))) continue;
    monitor.tick();
    table_.count_with(column);
    if (is_wanted(last)) record(task, test_.statistic().of(table_.strata(0)), last, last);
    for (std::size_t index = 0; can_condition && index < members_.size(); ++index)
      if (is_wanted(members_[index])) 
        record(task, test_.statistic().of(table_.strata(index + 1)), members_[index], last);
  }
}

// Tests whose tables are too large go one by one, sharing the strata of their set.
void DiscreteSweep::test_strata(const Task& task, Monitor& monitor) {
  bool is_sorted = false;
  for (std::size_t y = 0; y < neighbours_; ++y) {
    const std::size_t column = test_.column(task.neighbours[y]);
    if (task.fixed[y] != 0 || !table_.is_too_large_with(column)) continue;
    if (std::find(members_.begin(), members_.end(), y) != members_.end()) continue;
    monitor.tick();
    if (!is_sorted) strata_.sort(test_.rows(), test_.column(task.x), base_);
    is_sorted = true;
    record(task, strata_.test(test_.rows(), column, test_.statistic()), y, y);
  }
}

// The set is that of the members and `last` without y.
void DiscreteSweep::record(const Task& task, const TestStatistic& statistic, std::size_t y, std::size_t last) {
  if (!test_.is_independent(statistic, task.x, task.neighbours[y])) return;
  separated_[y] = 1;
  std::uint8_t* separators = separators_.data() + y * neighbours_;
  for (const std::size_t member : members_) separators[member] = 1;
  separators[last] = 1;
  separators[y] = 0;
}

double DiscreteSweep::p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) {
  base_.clear();
  for (const std::size_t variable : given) base_.push_back(test_.column(variable));
  table_.set_base(test_.rows(), test_.column(x), base_);
  const std::size_t column = test_.column(y);
  if (table_.is_too_large_with(column)) {
    strata_.sort(test_.rows(), test_.column(x), base_);
    return test_.p_value(strata_.test(test_.rows(), column, test_.statistic()), x, y);
  }
  table_.count_with(column);
  return test_.p_value(test_.statistic().of(table_.strata(0)), x, y);
}

}  // namespace pyvalue
