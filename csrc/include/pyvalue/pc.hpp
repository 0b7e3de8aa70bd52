// The PC algorithm on a correlation matrix: skeleton, then orientation.
#pragma once

#include <cstddef>
#include <optional>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/monitor.hpp"
#include "pyvalue/orientation.hpp"
#include "pyvalue/skeleton.hpp"

namespace pyvalue {

struct PcOptions {
  double alpha = 0.05;
  std::optional<std::size_t> max_depth;
  unsigned threads = 1;
};

class PcSearch {
 public:
  // n is the (effective) number of rows behind the correlations.
  void run(const SquareMatrix& correlation, double n, const PcOptions& options, Monitor& monitor) {
    const FisherZ test(correlation, n, options.alpha);
    search_.run(test, options.max_depth, options.threads, monitor, skeleton_);
    orientation_.run(skeleton_.adjacent, skeleton_.sets);
  }

  const EndMarks& marks() const { return orientation_.marks(); }
  const SkeletonResult& skeleton() const { return skeleton_; }

 private:
  SkeletonSearch search_;
  SkeletonResult skeleton_;
  Orientation orientation_;
};

}  // namespace pyvalue
