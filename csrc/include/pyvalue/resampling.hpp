// Which rows a replicate is made of: how often each of them is drawn. No row is ever copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pyvalue/table.hpp"

namespace pyvalue {

// More draws of one row than fit are an error (Resampling::draw); from millions of rows its probability is < 1e-280000.
using RowCount = std::uint16_t;

// Units of rows that are drawn as a whole, for example all answers of one persona.
struct Clusters {
  std::vector<std::uint32_t> of_row;  // (rows,), 0 .. count - 1
  std::size_t count = 0;
};

enum class Scheme : std::uint8_t {
  with_replacement,
  without_replacement,
  complementary_pairs  // without replacement; replicates 2k and 2k + 1 have no unit in common (Shah & Samworth 2013)
};

// Draws `draws` of the units: rows, or clusters of rows. Given two clusterings, units of both are drawn independently
// and a row counts the product of its two (the pigeonhole bootstrap, Owen 2007); with replacement only.
class Resampling {
 public:
  Resampling(std::size_t rows, Scheme scheme, std::uint64_t seed, std::optional<std::size_t> draws = {},
             std::vector<Clusters> clusters = {});

  std::size_t rows() const { return rows_; }
  std::uint64_t seed() const { return seed_; }

  // Replicate r depends on (seed, r) alone. Overwrites counts[0 .. rows - 1].
  void draw(std::uint64_t replicate, RowCount* counts) const;

 private:
  void draw_units(std::size_t units, std::size_t draws, std::uint64_t replicate, std::uint32_t purpose,
                  RowCount* counts) const;
  void choose_units(std::size_t units, std::size_t draws, std::uint64_t replicate, RowCount* counts) const;

  std::size_t rows_;
  Scheme scheme_;
  std::uint64_t seed_;
  std::optional<std::size_t> draws_;  // units; all (half of them without replacement) if not given
  std::vector<Clusters> clusters_;
};

// Whether the drawn rows of a column all hold one value; missing values (NaN) do not count.
bool is_one_value(const Table& table, const RowCount* counts, std::size_t column);

// The order in which a replicate sees its columns.
void shuffle_columns(std::uint64_t seed, std::uint64_t replicate, std::vector<std::size_t>& columns);

}  // namespace pyvalue
