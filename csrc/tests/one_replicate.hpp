// A test on one replicate of a source, over all its columns, asked through one sweep.
#pragma once

#include <cstddef>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "pyvalue/test_source.hpp"

namespace pyvalue::testing {

struct OneReplicate {
  OneReplicate(const TestSource& source, std::vector<RowCount> row_counts, double effective_n)
      : counts(std::move(row_counts)), columns(source.cols()), replicator(source.make_replicator(effective_n, 0.05)) {
    std::iota(columns.begin(), columns.end(), std::size_t{0});
    load();
    sweep = test->make_sweep();
  }

  // Again, after the counts have changed; the sweep stays.
  void load() {
    Monitor monitor;
    replicator->load({counts.data()}, monitor);
    test = &replicator->test(0, columns);
  }

  double p(std::size_t x, std::size_t y, const std::vector<std::size_t>& given) const {
    return sweep->p_value(x, y, given);
  }

  std::vector<RowCount> counts;
  std::vector<std::size_t> columns;
  std::unique_ptr<Replicator> replicator;
  const CiTest* test;
  std::unique_ptr<Sweep> sweep;
};

}  // namespace pyvalue::testing
