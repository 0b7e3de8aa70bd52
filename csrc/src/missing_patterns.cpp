#include "pyvalue/missing_patterns.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "pyvalue/simd.hpp"

namespace pyvalue {
namespace {

constexpr std::size_t word_bits = 64;

// Of the Gram matrices of a replicate, of which every thread holds one.
constexpr std::size_t most_bytes = std::size_t{1} << 26;

class PatternSummer final : public CompleteSummer {
 public:
  explicit PatternSummer(const PatternGrams& grams) : grams_(grams) {}

  void sum(std::size_t x, std::span<const std::size_t> given, std::span<const std::size_t> ys,
           double* sums) override {
    const MissingPatterns& patterns = grams_.patterns();
    variables_.assign({grams_[0].ones(), x});
    variables_.insert(variables_.end(), given.begin(), given.end());
    std::uint64_t with_given = patterns.presence(x);
    for (const std::size_t variable : given) with_given &= patterns.presence(variable);

    const std::size_t shared = CompleteSums::without_y(given.size());
    std::optional<std::uint64_t> last;  // neighbours in the list of ys are often missing in the same rows
    for (const std::size_t y : ys) {
      const std::uint64_t complete = with_given & patterns.presence(y);
      if (last != complete) sum_shared(complete, shared);
      last = complete;
      std::copy(shared_.begin(), shared_.end(), sums);
      sum_with(y, complete, sums + shared);
      sums += CompleteSums::size(given.size());
    }
  }

 private:
  template <class Use>
  static void for_each_pattern(std::uint64_t set, Use use) {
    for (; set != 0; set &= set - 1) use(static_cast<std::size_t>(std::countr_zero(set)));
  }

  void sum_shared(std::uint64_t complete, std::size_t size) {
    shared_.assign(size, 0.0);
    for_each_pattern(complete, [&](std::size_t pattern) {
      const GramAccumulator& gram = grams_[pattern];
      double* target = shared_.data();
      for (std::size_t i = 0; i < variables_.size(); ++i)
        for (std::size_t j = 0; j <= i; ++j) *target++ += gram.product(variables_[i], variables_[j]);
    });
  }

  void sum_with(std::size_t y, std::uint64_t complete, double* target) const {
    std::fill_n(target, variables_.size() + 1, 0.0);
    for_each_pattern(complete, [&](std::size_t pattern) {
      const GramAccumulator& gram = grams_[pattern];
      for (std::size_t i = 0; i < variables_.size(); ++i) target[i] += gram.product(variables_[i], y);
      target[variables_.size()] += gram.product(y, y);
    });
  }

  const PatternGrams& grams_;
  std::vector<std::size_t> variables_;
  std::vector<double> shared_;
};

}  // namespace

std::optional<MissingPatterns> MissingPatterns::find(const Table& table, const ColumnScaling& scaling,
                                                     Monitor& monitor) {
  MissingPatterns found;
  found.width_ = pad_to_lanes(table.cols() + 1);
  if (table.rows() > std::numeric_limits<std::uint32_t>::max() || !found.sort_rows(table, monitor)) return {};
  if (found.patterns() * found.width_ * found.width_ > most_bytes / sizeof(double)) return {};
  found.pack(table, scaling, monitor);
  return found;
}

// False where there are too many patterns.
bool MissingPatterns::sort_rows(const Table& table, Monitor& monitor) {
  const std::size_t d = table.cols(), words = (d + word_bits - 1) / word_bits;
  using Pattern = std::vector<std::uint64_t>;  // bits of the columns that are missing
  std::map<Pattern, std::size_t> known;
  std::vector<Pattern> block(GramAccumulator::block_rows, Pattern(words));
  std::vector<std::vector<std::uint32_t>> rows_of;
  for (std::size_t first = 0; first < table.rows(); first += block.size()) {
    monitor.tick();
    const std::size_t rows = std::min(block.size(), table.rows() - first);
    for (Pattern& pattern : block) std::fill(pattern.begin(), pattern.end(), 0);
    for (std::size_t column = 0; column < d; ++column) {
      table.column(column).visit(first, rows, [&](std::size_t row, double value) {
        if (std::isnan(value)) block[row][column / word_bits] |= std::uint64_t{1} << (column % word_bits);
      });
    }
    for (std::size_t row = 0; row < rows; ++row) {
      const auto [at, is_new] = known.try_emplace(block[row], known.size());
      if (known.size() > limit) return false;
      if (is_new) rows_of.emplace_back();
      rows_of[at->second].push_back(static_cast<std::uint32_t>(first + row));
    }
  }

  presence_.assign(d, 0);
  for (const auto& [pattern, index] : known) {
    for (std::size_t column = 0; column < d; ++column) {
      const bool missing = (pattern[column / word_bits] >> (column % word_bits) & 1) != 0;
      if (!missing) presence_[column] |= std::uint64_t{1} << index;
    }
  }
  for (const auto& rows : rows_of) {
    first_row_.push_back(order_.size());
    order_.insert(order_.end(), rows.begin(), rows.end());
  }
  first_row_.push_back(order_.size());
  return true;
}

void MissingPatterns::pack(const Table& table, const ColumnScaling& scaling, Monitor& monitor) {
  std::vector<std::uint32_t> place(order_.size());
  for (std::size_t row = 0; row < order_.size(); ++row) place[order_[row]] = static_cast<std::uint32_t>(row);
  packed_.assign(order_.size() * width_, 0.0);
  for (std::size_t column = 0; column < table.cols(); ++column) {
    monitor.tick();
    const double offset = scaling.offset[column], factor = scaling.factor[column];
    table.column(column).visit(0, table.rows(), [&](std::size_t row, double value) {
      if (!std::isnan(value)) packed_[place[row] * width_ + column] = (value - offset) * factor;
    });
  }
  for (std::size_t row = 0; row < order_.size(); ++row) packed_[row * width_ + table.cols()] = 1.0;
}

PatternGrams::PatternGrams(const MissingPatterns& patterns)
    : patterns_(patterns),
      grams_(patterns.patterns(), GramAccumulator(patterns.columns())),
      sorted_counts_(patterns.order().size()) {}

void PatternGrams::load(const RowCount* counts, Monitor& monitor) {
  constexpr std::size_t block = GramAccumulator::block_rows;
  for (std::size_t row = 0; row < sorted_counts_.size(); ++row) sorted_counts_[row] = counts[patterns_.order()[row]];
  for (std::size_t pattern = 0; pattern < grams_.size(); ++pattern) {
    grams_[pattern].clear();
    const std::size_t last = patterns_.first_row(pattern + 1);
    for (std::size_t row = patterns_.first_row(pattern); row < last; row += block) {
      monitor.tick();
      grams_[pattern].add_weighted(patterns_.packed(row), std::min(block, last - row), sorted_counts_.data() + row);
    }
  }
}

std::unique_ptr<CompleteSummer> PatternGrams::make_summer() const { return std::make_unique<PatternSummer>(*this); }

}  // namespace pyvalue
