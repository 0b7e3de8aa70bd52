// Fisher-z tests with test-wise deletion: a test uses the rows in which none of its variables is missing (NaN).
//
// Consistent where values are missing completely at random; elsewhere it can be biased (Tu et al. 2019, "Causal
// discovery in the presence of missing data"), and nothing here corrects that. Beside the caller's table the source
// holds one scaled copy of it.
#pragma once

#include <memory>
#include <optional>

#include "pyvalue/complete_rows.hpp"
#include "pyvalue/gram.hpp"
#include "pyvalue/missing_patterns.hpp"
#include "pyvalue/table.hpp"
#include "pyvalue/test_source.hpp"

namespace pyvalue {

class MissingSource final : public TestSource {
 public:
  // How the sums over complete rows are found. automatic: by pattern where MissingPatterns are few, else by row.
  enum class Method : std::uint8_t { automatic, by_row };

  MissingSource(Table table, Monitor& monitor, Method method = Method::automatic);

  std::size_t rows() const override { return table_.rows(); }
  std::size_t cols() const override { return table_.cols(); }
  std::unique_ptr<Replicator> make_replicator(const EffectiveRows& effective, double alpha) const override;

  bool is_by_pattern() const { return patterns_.has_value(); }

 private:
  Table table_;
  std::optional<MissingPatterns> patterns_;  // exactly one of the two
  std::optional<PresentColumns> columns_;
};

}  // namespace pyvalue
