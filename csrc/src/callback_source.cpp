#include "pyvalue/callback_source.hpp"

#include <algorithm>
#include <numeric>

namespace pyvalue {
namespace {

class CallbackTest final : public CiTest {
 public:
  CallbackTest(const TestFunction& function, bool is_threadsafe, double alpha)
      : CiTest(0, alpha), function_(function), is_threadsafe_(is_threadsafe) {}

  // values: a column after the other, `rows` apart.
  void set_values(const std::vector<double>& values, std::size_t rows, const std::vector<std::size_t>& columns) {
    values_ = &values;
    rows_ = rows;
    columns_ = columns;
    variables_ = columns.size();
  }

  const double* values_of(std::size_t variable) const { return values_->data() + columns_[variable] * rows_; }
  std::size_t rows() const { return rows_; }
  const TestFunction& function() const { return function_; }

  [[noreturn]] void fail(std::size_t x, std::size_t y, std::span<const std::size_t> given, const double* z,
                         double p) const {
    TestFailure failure;
    failure.x_column = columns_[x];
    failure.y_column = columns_[y];
    for (const std::size_t variable : given) failure.given_columns.push_back(columns_[variable]);
    failure.x.assign(values_of(x), values_of(x) + rows_);
    failure.y.assign(values_of(y), values_of(y) + rows_);
    failure.z.assign(z, z + given.size() * rows_);
    failure.p = p;
    throw failure;
  }

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override { return 1e5; }
  bool is_threadsafe() const override { return is_threadsafe_; }

 private:
  const TestFunction& function_;
  bool is_threadsafe_;
  const std::vector<double>* values_ = nullptr;
  std::size_t rows_ = 0;
  std::vector<std::size_t> columns_;
};

class CallbackSweep final : public SetwiseSweep {
 public:
  explicit CallbackSweep(const CallbackTest& test) : SetwiseSweep(test.alpha()), test_(test) {}

 private:
  void test(std::size_t x, std::span<const std::size_t> ys, std::span<const std::size_t> given,
            std::span<double> p) override {
    const std::size_t rows = test_.rows();
    z_.resize(given.size() * rows);
    for (std::size_t index = 0; index < given.size(); ++index)
      std::copy_n(test_.values_of(given[index]), rows, z_.data() + index * rows);
    for (std::size_t index = 0; index < ys.size(); ++index) {
      tick();
      // The same order of x and y from both ends: a test need not be symmetric to the last bit.
      const std::size_t first = std::min(x, ys[index]), second = std::max(x, ys[index]);
      p[index] = test_.function()(test_.values_of(first), test_.values_of(second), z_.data(),
                                  static_cast<std::int64_t>(rows), static_cast<std::int64_t>(given.size()));
      if (!(p[index] >= 0.0 && p[index] <= 1.0)) test_.fail(first, second, given, z_.data(), p[index]);
    }
  }

  const CallbackTest& test_;
  std::vector<double> z_;
};

std::unique_ptr<Sweep> CallbackTest::make_sweep() const { return std::make_unique<CallbackSweep>(*this); }

class CallbackReplicator final : public Replicator {
 public:
  CallbackReplicator(const Table& table, const TestFunction& function, bool is_threadsafe, double alpha)
      : table_(table), test_(function, is_threadsafe, alpha) {}

  void load(const std::vector<const RowCount*>& counts, Monitor& monitor) override {
    counts_ = counts.front();
    rows_ = std::accumulate(counts_, counts_ + table_.rows(), std::size_t{0});
    values_.resize(table_.cols() * rows_);
    for (std::size_t column = 0; column < table_.cols(); ++column) {
      monitor.tick();
      double* target = values_.data() + column * rows_;
      table_.column(column).visit(0, table_.rows(), [&](std::size_t row, double value) {
        target = std::fill_n(target, counts_[row], value);
      });
    }
  }

  bool is_constant(std::size_t, std::size_t column) const override { return is_one_value(table_, counts_, column); }

  const CiTest& test(std::size_t, const std::vector<std::size_t>& columns) override {
    test_.set_values(values_, rows_, columns);
    return test_;
  }

 private:
  const Table& table_;
  CallbackTest test_;
  const RowCount* counts_ = nullptr;
  std::size_t rows_ = 0;
  std::vector<double> values_;
};

}  // namespace

std::unique_ptr<Replicator> CallbackSource::make_replicator(const EffectiveRows&, double alpha) const {
  return std::make_unique<CallbackReplicator>(table_, function_, is_threadsafe_, alpha);
}

}  // namespace pyvalue
