#include "pyvalue/stratified_rows.hpp"

#include <algorithm>
#include <numeric>

namespace pyvalue {

void StratifiedRows::sort(const CodedRows& rows, std::size_t x, std::span<const std::size_t> given) {
  counts_.resize(max_levels);
  columns_.resize(max_levels);
  order_.resize(rows.rows());
  std::iota(order_.begin(), order_.end(), std::uint32_t{0});
  strata_.assign(1, {0, static_cast<std::uint32_t>(order_.size())});
  for (const std::size_t variable : given) {
    finer_.clear();
    for (const Segment stratum : strata_) split(stratum, rows.codes(variable), finer_);
    std::erase_if(finer_, [](const Segment& stratum) { return stratum.last - stratum.first < 2; });
    strata_.swap(finer_);
  }
  of_x_.clear();
  first_of_x_.clear();
  for (const Segment stratum : strata_) {
    first_of_x_.push_back(of_x_.size());
    split(stratum, rows.codes(x), of_x_);
  }
  first_of_x_.push_back(of_x_.size());
}

void StratifiedRows::split(Segment segment, const Code* codes, std::vector<Segment>& parts) {
  if (segment.first == segment.last) return;
  seen_.clear();
  for (std::uint32_t at = segment.first; at < segment.last; ++at)
    if (counts_[codes[order_[at]]]++ == 0) seen_.push_back(codes[order_[at]]);
  std::uint32_t next = segment.first;
  for (const Code code : seen_) {
    parts.push_back({next, next + counts_[code]});
    next += counts_[code];
    counts_[code] = parts.back().first - segment.first;  // from here on: where its next row goes
  }
  if (seen_.size() > 1) {
    sorted_.resize(segment.last - segment.first);
    for (std::uint32_t at = segment.first; at < segment.last; ++at) sorted_[counts_[codes[order_[at]]]++] = order_[at];
    std::copy(sorted_.begin(), sorted_.end(), order_.begin() + segment.first);
  }
  for (const Code code : seen_) counts_[code] = 0;
}

TestStatistic StratifiedRows::test(const CodedRows& rows, std::size_t y, const DiscreteStatistic& statistic) {
  const Code* codes = rows.codes(y);
  TestStatistic result{0.0, 0.0};
  for (std::size_t s = 0; s < strata_.size(); ++s) {
    const std::size_t x_present = first_of_x_[s + 1] - first_of_x_[s];
    if (x_present < 2) continue;
    const Segment stratum = strata_[s];
    const std::uint32_t total = stratum.last - stratum.first;
    y_of_row_.resize(total);
    std::size_t y_present = 0;
    for (std::uint32_t at = 0; at < total; ++at) {
      y_of_row_[at] = codes[order_[stratum.first + at]];
      y_present += columns_[y_of_row_[at]]++ == 0 ? 1 : 0;
    }
    for (std::size_t x = first_of_x_[s]; y_present > 1 && x < first_of_x_[s + 1]; ++x) {
      const auto [first, last] = of_x_[x];
      seen_.clear();
      for (std::uint32_t at = first; at < last; ++at) {
        const Code code = y_of_row_[at - stratum.first];
        if (counts_[code]++ == 0) seen_.push_back(code);
      }
      for (const Code code : seen_) {
        result.value += statistic.of_occurring_cell(counts_[code], last - first, columns_[code], total);
        counts_[code] = 0;
      }
    }
    for (const Code code : y_of_row_) columns_[code] = 0;
    result.degrees_of_freedom += static_cast<double>(x_present - 1) * static_cast<double>(y_present - 1);
  }
  return result;
}

}  // namespace pyvalue
