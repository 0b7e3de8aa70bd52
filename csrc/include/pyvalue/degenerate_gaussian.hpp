// Likelihood-ratio test of conditional independence of blocks of Gaussian variables. With indicators of levels among
// them it is the degenerate Gaussian test (Andrews, Ramsey & Cooper 2019, "Learning high-dimensional directed acyclic
// graphs with mixed data-types", KDD workshop on causal discovery).
//
// Wilks' Lambda = |R_XYS| |R_S| / (|R_XS| |R_YS|), and -(n - dim S - 1 - (dim X + dim Y + 1) / 2) ln Lambda is
// chi-squared with dim X dim Y degrees of freedom (Bartlett 1938). Dimensions are ranks: an embedded column that the
// others determine, as an indicator of a level that no row holds, adds none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pyvalue/ci_test.hpp"
#include "pyvalue/effective_rows.hpp"
#include "pyvalue/square.hpp"

namespace pyvalue {

class DegenerateGaussian final : public CiTest {
 public:
  // The number of rows need not be whole.
  DegenerateGaussian(EffectiveRows rows, double alpha) : CiTest(0, alpha), rows_(std::move(rows)) {}

  // Variable v is the embedded columns first[v] .. first[v + 1] - 1. A column without variance has zeros in its row and
  // column, the diagonal included. Sweeps stay valid.
  void set_correlation(const SquareMatrix& correlation, const std::vector<std::size_t>& first, EffectiveRows rows);

  double rows_of(std::size_t x, std::size_t y) const { return rows_.of(x, y); }
  const SquareMatrix& correlation() const { return correlation_; }
  std::size_t first(std::size_t variable) const { return first_[variable]; }
  std::uint64_t version() const { return version_; }

  std::unique_ptr<Sweep> make_sweep() const override;
  double nanoseconds() const override { return 500.0; }

 private:
  SquareMatrix correlation_;
  std::vector<std::size_t> first_{0};
  EffectiveRows rows_;
  std::uint64_t version_ = 0;  // tells sweeps that what they hold is of another matrix
};

}  // namespace pyvalue
