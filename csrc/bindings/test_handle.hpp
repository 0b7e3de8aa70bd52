// A test as Python holds it: with what it lives on.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue::bindings {

class TestHandle {
 public:
  explicit TestHandle(std::shared_ptr<const CiTest> test) : owned_(std::move(test)), test_(owned_.get()) {}

  // The test on all rows of a source, which must outlive it.
  TestHandle(const TestSource& source, const EffectiveRows& effective, double alpha, Monitor& monitor)
      : counts_(source.rows(), 1), replicator_(source.make_replicator(effective, alpha)) {
    replicator_->load({counts_.data()}, monitor);
    std::vector<std::size_t> columns(source.cols());
    for (std::size_t column = 0; column < columns.size(); ++column) columns[column] = column;
    test_ = &replicator_->test(0, columns);
  }

  const CiTest& test() const { return *test_; }

 private:
  std::shared_ptr<const CiTest> owned_;
  std::vector<RowCount> counts_;
  std::shared_ptr<Replicator> replicator_;
  const CiTest* test_ = nullptr;
};

}  // namespace pyvalue::bindings
