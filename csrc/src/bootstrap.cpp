#include "pyvalue/bootstrap.hpp"

#include <algorithm>
#include <limits>

#include "pyvalue/gram.hpp"
#include "pyvalue/parallel.hpp"
#include "pyvalue/random.hpp"

namespace pyvalue {
namespace {

// Replicates that go through the rows together: each block of rows is packed once for all of them.
constexpr std::size_t largest_batch = 16;

bool is_constant(const MatrixView& table, const RowCount* counts, std::size_t column) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t row = 0; row < table.rows && low >= high; ++row) {
    if (counts[row] == 0) continue;
    low = std::min(low, table(row, column));
    high = std::max(high, table(row, column));
    if (low < high) return false;
  }
  return true;
}

class Worker {
 public:
  Worker(const MatrixView& table, const ColumnScaling& scaling, const BootstrapOptions& options, std::size_t batch)
      : table_(table),
        scaling_(scaling),
        options_(options),
        counts_(table.cols),
        grams_(batch, GramAccumulator(table.cols)),
        row_counts_(batch * table.rows),
        packed_(GramAccumulator::block_rows * grams_.front().padded_columns()) {}

  void run(std::size_t first, std::size_t size, Monitor& monitor) {
    for (std::size_t index = 0; index < size; ++index) {
      monitor.tick();
      resample_counts(table_.rows, options_.seed, options_.first_replicate + first + index, counts_of(index));
    }
    accumulate_grams(size, monitor);
    for (std::size_t index = 0; index < size; ++index) {
      fit(index, monitor);
      monitor.advance();
    }
  }

  const EdgeCounts& counts() const { return counts_; }

 private:
  RowCount* counts_of(std::size_t index) { return row_counts_.data() + index * table_.rows; }

  void accumulate_grams(std::size_t size, Monitor& monitor) {
    constexpr std::size_t block = GramAccumulator::block_rows;
    for (std::size_t index = 0; index < size; ++index) grams_[index].clear();
    for (std::size_t row = 0; row < table_.rows; row += block) {
      monitor.tick();
      const std::size_t rows = std::min(block, table_.rows - row);
      pack_rows(table_, scaling_, row, rows, grams_[0].padded_columns(), packed_.data());
      for (std::size_t index = 0; index < size; ++index)
        grams_[index].add_weighted(packed_.data(), rows, counts_of(index) + row);
    }
  }

  void fit(std::size_t index, Monitor& monitor) {
    find_testable_columns(grams_[index], counts_of(index));
    correlation_of(grams_[index], testable_, correlation_);
    PcOptions pc = options_.pc;
    pc.threads = 1;
    search_.run(correlation_, options_.effective_n, pc, monitor);
    counts_.singular_tests += search_.skeleton().singular_tests;
    count_edges();
    count_untestable();
  }

  // The variance of a constant column comes out as rounding error of its squared mean; the rows themselves decide.
  void find_testable_columns(const GramAccumulator& gram, const RowCount* counts) {
    constexpr double suspicious = 1e-10;
    testable_.clear();
    untestable_.clear();
    for (std::size_t column = 0; column < table_.cols; ++column) {
      const double variance = gram.centred(column, column) / gram.total_weight();
      const double mean = gram.mean(column);
      const bool constant = variance <= suspicious * mean * mean && is_constant(table_, counts, column);
      (constant ? untestable_ : testable_).push_back(column);
    }
  }

  void count_edges() {
    const EndMarks& marks = search_.marks();
    for (std::size_t a = 0; a < testable_.size(); ++a) {
      for (std::size_t b = a + 1; b < testable_.size(); ++b) {
        const std::size_t i = testable_[a], j = testable_[b];
        if (is_directed(marks, a, b)) ++counts_.directed(i, j);
        else if (is_directed(marks, b, a)) ++counts_.directed(j, i);
        else if (is_undirected(marks, a, b)) ++counts_.undirected(i, j);
        else if (is_bidirected(marks, a, b)) ++counts_.bidirected(i, j);
        else ++counts_.absent(i, j);
      }
    }
  }

  void count_untestable() {
    for (std::size_t a = 0; a < untestable_.size(); ++a) {
      const std::size_t i = untestable_[a];
      ++counts_.untestable(i, i);
      for (std::size_t b = a + 1; b < untestable_.size(); ++b) ++counts_.untestable(i, untestable_[b]);
      for (const std::size_t j : testable_) ++counts_.untestable(std::min(i, j), std::max(i, j));
    }
  }

  const MatrixView& table_;
  const ColumnScaling& scaling_;
  const BootstrapOptions& options_;
  EdgeCounts counts_;
  std::vector<GramAccumulator> grams_;
  std::vector<RowCount> row_counts_;
  std::vector<double> packed_;
  std::vector<std::size_t> testable_;
  std::vector<std::size_t> untestable_;
  SquareMatrix correlation_;
  PcSearch search_;
};

void mirror_upper_triangle(Square<std::uint32_t>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (std::size_t j = i + 1; j < counts.size(); ++j) counts(j, i) = counts(i, j);
}

void add(Square<std::uint32_t>& total, const Square<std::uint32_t>& part) {
  for (std::size_t index = 0; index < total.size() * total.size(); ++index) total.data()[index] += part.data()[index];
}

}  // namespace

EdgeCounts::EdgeCounts(std::size_t columns)
    : directed(columns), undirected(columns), bidirected(columns), absent(columns), untestable(columns) {}

void EdgeCounts::merge(const EdgeCounts& other) {
  add(directed, other.directed);
  add(undirected, other.undirected);
  add(bidirected, other.bidirected);
  add(absent, other.absent);
  add(untestable, other.untestable);
  singular_tests += other.singular_tests;
}

EdgeCounts bootstrap(const MatrixView& table, const BootstrapOptions& options, Monitor& monitor) {
  const unsigned threads = std::max(1U, options.pc.threads);
  const ColumnScaling scaling = scale_columns(table, monitor);
  // Small batches at the end of the work keep all threads busy.
  const std::size_t batch = std::clamp<std::size_t>(options.replicates / (4 * threads), 1, largest_batch);
  const std::size_t batches = (options.replicates + batch - 1) / batch;
  std::vector<Worker> workers;
  workers.reserve(threads);
  for (unsigned worker = 0; worker < std::min<std::size_t>(threads, std::max<std::size_t>(1, batches)); ++worker)
    workers.emplace_back(table, scaling, options, batch);

  parallel_for(batches, threads, monitor, [&](std::size_t index, unsigned worker) {
    const std::size_t first = index * batch;
    workers[worker].run(first, std::min(batch, options.replicates - first), monitor);
  });

  EdgeCounts counts(table.cols);
  for (const Worker& worker : workers) counts.merge(worker.counts());
  for (auto* symmetric : {&counts.undirected, &counts.bidirected, &counts.absent, &counts.untestable})
    mirror_upper_triangle(*symmetric);
  return counts;
}

}  // namespace pyvalue
