#include "pyvalue/complete_rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "pyvalue/simd.hpp"

namespace pyvalue {
namespace {

constexpr std::size_t block_rows = PresentColumns::block_rows;

// Rows that are complete are gathered until a batch of them, column after column, is full. The products of 1, x,
// given... are computed once for all ys: their sums over the rows in which a y is present are a product of matrices,
// (products, rows) by (rows, ys) of zeros and ones.
class RowSummer final : public CompleteSummer {
 public:
  explicit RowSummer(const CompleteRows& rows) : rows_(rows) {}

  void sum(std::size_t x, std::span<const std::size_t> given, std::span<const std::size_t> ys,
           double* sums) override {
    variables_.assign({x});
    variables_.insert(variables_.end(), given.begin(), given.end());
    reserve(ys.size());
    gathered_ = 0;
    for (std::size_t block = 0; block < rows_.columns().blocks(); ++block) {
      const std::size_t count = list_rows(block);
      if (gathered_ + count > batch_rows) add_batch(ys.size());
      gather(block, count, ys);
    }
    add_batch(ys.size());
    write(ys.size(), sums);
  }

 private:
  // A multiple of block_rows; the columns of a small neighbourhood then stay in the first-level cache.
  static constexpr std::size_t batch_rows = 128;

  std::size_t factors() const { return variables_.size() + 1; }
  std::size_t products() const { return CompleteSums::at(factors(), 0); }

  static void reserve_columns(std::vector<double>& memory, std::vector<const double*>& columns, std::size_t count) {
    memory.resize(count * batch_rows);
    columns.resize(count);
    for (std::size_t index = 0; index < count; ++index) columns[index] = memory.data() + index * batch_rows;
  }

  void reserve(std::size_t ys) {
    reserve_columns(plain_memory_, plain_, factors());
    reserve_columns(product_memory_, products_, products());
    reserve_columns(y_memory_, y_, ys);
    reserve_columns(present_memory_, present_, ys);
    reserve_columns(value_memory_, values_, ys);
    product_sums_.assign(products() * ys, 0.0);
    factor_sums_.assign(factors() * ys, 0.0);
    square_sums_.assign(ys, 0.0);
  }

  // Those that count and that hold x and all of given.
  std::size_t list_rows(std::size_t block) {
    std::uint64_t complete = rows_.drawn(block);
    for (const std::size_t variable : variables_) complete &= rows_.columns().presence(variable, block);
    std::size_t count = 0;
    for (; complete != 0; complete &= complete - 1)
      list_[count++] = static_cast<std::size_t>(std::countr_zero(complete));
    return count;
  }

  void gather(std::size_t block, std::size_t count, std::span<const std::size_t> ys) {
    const RowCount* counts = rows_.counts(block);
    for (std::size_t row = 0; row < count; ++row) plain_memory_[gathered_ + row] = counts[list_[row]];
    for (std::size_t index = 0; index < variables_.size(); ++index)
      gather_column(block, count, variables_[index], plain_memory_.data() + (index + 1) * batch_rows);
    for (std::size_t index = 0; index < ys.size(); ++index)
      gather_column(block, count, ys[index], y_memory_.data() + index * batch_rows);
    gathered_ += count;
  }

  void gather_column(std::size_t block, std::size_t count, std::size_t column, double* target) const {
    const double* source = rows_.columns().values(column, block);
    for (std::size_t row = 0; row < count; ++row) target[gathered_ + row] = source[list_[row]];
  }

  void add_batch(std::size_t ys) {
    const SimdKernels& kernels = simd_kernels();
    const std::size_t rows = pad_to_lanes(gathered_);
    for (auto* memory : {&plain_memory_, &y_memory_})
      for (std::size_t start = 0; start < memory->size(); start += batch_rows)
        std::fill(memory->data() + start + gathered_, memory->data() + start + rows, 0.0);
    gathered_ = 0;

    // plain_[0] is the weights: product (i, 0) is the weighted factor i, which the further products start from.
    for (std::size_t i = 0; i < factors(); ++i) {
      double* weighted = product_memory_.data() + CompleteSums::at(i, 0) * batch_rows;
      if (i == 0) std::copy_n(plain_[0], rows, weighted);
      else kernels.multiply(plain_[0], plain_[i], weighted, rows);
      for (std::size_t j = 1; j <= i; ++j) kernels.multiply(weighted, plain_[j], weighted + j * batch_rows, rows);
    }
    weighted_.clear();
    for (std::size_t i = 0; i < factors(); ++i) weighted_.push_back(products_[CompleteSums::at(i, 0)]);
    for (std::size_t y = 0; y < ys; ++y)
      square_sums_[y] += kernels.split_missing(y_[y], plain_[0], rows, present_memory_.data() + y * batch_rows,
                                               value_memory_.data() + y * batch_rows);
    kernels.accumulate_dots(products_.data(), products(), present_.data(), ys, rows, product_sums_.data());
    kernels.accumulate_dots(weighted_.data(), factors(), values_.data(), ys, rows, factor_sums_.data());
  }

  void write(std::size_t ys, double* sums) const {
    for (std::size_t y = 0; y < ys; ++y) {
      for (std::size_t i = 0; i < products(); ++i) *sums++ = product_sums_[i * ys + y];
      for (std::size_t i = 0; i < factors(); ++i) *sums++ = factor_sums_[i * ys + y];
      *sums++ = square_sums_[y];
    }
  }

  const CompleteRows& rows_;
  std::vector<std::size_t> variables_;  // x, given...
  std::array<std::size_t, block_rows> list_{};
  std::size_t gathered_ = 0;
  // Columns of batch_rows: weights, x, given...; their weighted products; and y as gathered, its presence, its values.
  std::vector<double> plain_memory_, product_memory_, y_memory_, present_memory_, value_memory_;
  std::vector<const double*> plain_, products_, weighted_, y_, present_, values_;
  std::vector<double> product_sums_, factor_sums_, square_sums_;
};

}  // namespace

PresentColumns::PresentColumns(const Table& table, const ColumnScaling& scaling, Monitor& monitor)
    : rows_(table.rows()),
      blocks_((table.rows() + block_rows - 1) / block_rows),
      values_(table.rows() * table.cols()),
      presence_(table.cols() * blocks_) {
  for (std::size_t column = 0; column < table.cols(); ++column) {
    monitor.tick();
    const double offset = scaling.offset[column], factor = scaling.factor[column];
    double* values = values_.data() + column * rows_;
    std::uint64_t* presence = presence_.data() + column * blocks_;
    table.column(column).visit(0, rows_, [&](std::size_t row, double value) {
      values[row] = (value - offset) * factor;
      if (!std::isnan(value)) presence[row / block_rows] |= std::uint64_t{1} << (row % block_rows);
    });
  }
}

void CompleteRows::load(const RowCount* counts) {
  counts_ = counts;
  std::fill(drawn_.begin(), drawn_.end(), 0);
  for (std::size_t row = 0; row < columns_.rows(); ++row)
    if (counts[row] != 0) drawn_[row / block_rows] |= std::uint64_t{1} << (row % block_rows);
}

std::unique_ptr<CompleteSummer> CompleteRows::make_summer() const { return std::make_unique<RowSummer>(*this); }

}  // namespace pyvalue
