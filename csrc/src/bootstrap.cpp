#include "pyvalue/bootstrap.hpp"

#include <algorithm>
#include <memory>

#include "pyvalue/parallel.hpp"

namespace pyvalue {
namespace {

EdgeKind kind_of(const EndMarks& marks, std::size_t i, std::size_t j) {
  if (is_directed(marks, i, j)) return EdgeKind::forward;
  if (is_directed(marks, j, i)) return EdgeKind::backward;
  if (is_undirected(marks, i, j)) return EdgeKind::undirected;
  return is_bidirected(marks, i, j) ? EdgeKind::bidirected : EdgeKind::absent;
}

class Worker {
 public:
  Worker(const TestSource& source, const Resampling& resampling, const Knowledge& knowledge,
         const BootstrapOptions& options, EdgeKind* kinds)
      : resampling_(resampling),
        knowledge_(knowledge),
        options_(options),
        kinds_(kinds),
        counts_(source.cols()),
        pairs_(source.cols(), EdgeKind::untestable),
        replicator_(source.make_replicator(options.effective, options.alpha)) {
    options_.pc.threads = 1;
  }

  // Replicates first .. first + size - 1, counted from options.first_replicate.
  void run(std::size_t first, std::size_t size, Monitor& monitor) {
    row_counts_.resize(size * resampling_.rows());
    std::vector<const RowCount*> list;
    for (std::size_t index = 0; index < size; ++index) {
      monitor.tick();
      RowCount* counts = row_counts_.data() + index * resampling_.rows();
      resampling_.draw(options_.first_replicate + first + index, counts);
      list.push_back(counts);
    }
    replicator_->load(list, monitor);
    for (std::size_t index = 0; index < size; ++index) {
      fit(index, options_.first_replicate + first + index, monitor);
      if (kinds_ != nullptr) write_kinds(first + index);
      monitor.advance();
    }
  }

  const EdgeCounts& counts() const { return counts_; }

 private:
  void fit(std::size_t index, std::size_t replicate, Monitor& monitor) {
    const std::size_t d = pairs_.size();
    columns_.clear();
    for (std::size_t column = 0; column < d; ++column) {
      if (replicator_->is_constant(index, column)) ++counts_.untestable(column, column);
      else columns_.push_back(column);
    }
    if (options_.shuffle_columns) shuffle_columns(resampling_.seed(), replicate, columns_);
    search_.run(replicator_->test(index, columns_), knowledge_.of(columns_), options_.pc, monitor);
    counts_.singular_tests += search_.singular_tests();

    pairs_.reset(d, EdgeKind::untestable);
    for (std::size_t a = 0; a < columns_.size(); ++a)
      for (std::size_t b = 0; b < columns_.size(); ++b)
        if (columns_[a] < columns_[b]) pairs_(columns_[a], columns_[b]) = kind_of(search_.marks(), a, b);
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = i + 1; j < d; ++j) counts_.add(i, j, pairs_(i, j));
  }

  void write_kinds(std::size_t row) {
    const std::size_t d = pairs_.size();
    EdgeKind* target = kinds_ + row * (d * (d - 1) / 2);
    for (std::size_t i = 0; i < d; ++i) target = std::copy(pairs_.row(i) + i + 1, pairs_.row(i) + d, target);
  }

  const Resampling& resampling_;
  const Knowledge& knowledge_;
  BootstrapOptions options_;
  EdgeKind* kinds_;
  EdgeCounts counts_;
  Square<EdgeKind> pairs_;
  std::unique_ptr<Replicator> replicator_;
  std::vector<RowCount> row_counts_;
  std::vector<std::size_t> columns_;
  PcSearch search_;
};

void mirror_upper_triangle(Square<std::uint32_t>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (std::size_t j = i + 1; j < counts.size(); ++j) counts(j, i) = counts(i, j);
}

void add_to(Square<std::uint32_t>& total, const Square<std::uint32_t>& part) {
  for (std::size_t index = 0; index < total.size() * total.size(); ++index) total.data()[index] += part.data()[index];
}

}  // namespace

EdgeCounts::EdgeCounts(std::size_t columns)
    : directed(columns), undirected(columns), bidirected(columns), absent(columns), untestable(columns) {}

void EdgeCounts::add(std::size_t i, std::size_t j, EdgeKind kind) {
  switch (kind) {
    case EdgeKind::absent: ++absent(i, j); break;
    case EdgeKind::forward: ++directed(i, j); break;
    case EdgeKind::backward: ++directed(j, i); break;
    case EdgeKind::undirected: ++undirected(i, j); break;
    case EdgeKind::bidirected: ++bidirected(i, j); break;
    case EdgeKind::untestable: ++untestable(i, j); break;
  }
}

void EdgeCounts::merge(const EdgeCounts& other) {
  add_to(directed, other.directed);
  add_to(undirected, other.undirected);
  add_to(bidirected, other.bidirected);
  add_to(absent, other.absent);
  add_to(untestable, other.untestable);
  singular_tests += other.singular_tests;
}

EdgeCounts bootstrap(const TestSource& source, const Resampling& resampling, const Knowledge& knowledge,
                     const BootstrapOptions& options, EdgeKind* kinds, Monitor& monitor) {
  const std::size_t threads = source.is_threadsafe() ? std::max(1U, options.pc.threads) : 1;
  // Small batches at the end of the work keep all threads busy.
  const std::size_t batch = std::clamp<std::size_t>(options.replicates / (4 * threads), 1, source.batch());
  const std::size_t batches = (options.replicates + batch - 1) / batch;
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t worker = 0; worker < std::min(threads, std::max<std::size_t>(1, batches)); ++worker)
    workers.push_back(std::make_unique<Worker>(source, resampling, knowledge, options, kinds));

  parallel_for(batches, static_cast<unsigned>(threads), monitor, [&](std::size_t index, unsigned worker) {
    const std::size_t first = index * batch;
    workers[worker]->run(first, std::min(batch, options.replicates - first), monitor);
  });

  EdgeCounts counts(source.cols());
  for (const auto& worker : workers) counts.merge(worker->counts());
  for (auto* symmetric : {&counts.undirected, &counts.bidirected, &counts.absent, &counts.untestable})
    mirror_upper_triangle(*symmetric);
  return counts;
}

}  // namespace pyvalue
