// Read-only view of a caller's columns: any number type, any stride, nothing copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pyvalue {

enum class NumberType : std::uint8_t { f64, f32, i64, i32, i16, i8, u64, u32, u16, u8 };

struct Column {
  const std::byte* data = nullptr;
  std::ptrdiff_t stride = 0;  // bytes
  NumberType type = NumberType::f64;

  double operator[](std::size_t row) const {
    double value = 0.0;
    visit(row, 1, [&value](std::size_t, double number) { value = number; });
    return value;
  }

  // Calls use(index, number) for rows first .. first + count - 1, index from 0. The type is looked up once.
  template <class Use>
  void visit(std::size_t first, std::size_t count, Use use) const {
    switch (type) {
      case NumberType::f64: return visit_as<double>(first, count, use);
      case NumberType::f32: return visit_as<float>(first, count, use);
      case NumberType::i64: return visit_as<std::int64_t>(first, count, use);
      case NumberType::i32: return visit_as<std::int32_t>(first, count, use);
      case NumberType::i16: return visit_as<std::int16_t>(first, count, use);
      case NumberType::i8: return visit_as<std::int8_t>(first, count, use);
      case NumberType::u64: return visit_as<std::uint64_t>(first, count, use);
      case NumberType::u32: return visit_as<std::uint32_t>(first, count, use);
      case NumberType::u16: return visit_as<std::uint16_t>(first, count, use);
      case NumberType::u8: return visit_as<std::uint8_t>(first, count, use);
    }
  }

 private:
  template <class Number, class Use>
  void visit_as(std::size_t first, std::size_t count, Use& use) const {
    const std::byte* source = data + static_cast<std::ptrdiff_t>(first) * stride;
    for (std::size_t index = 0; index < count; ++index, source += stride) {
      Number number;
      std::memcpy(&number, source, sizeof number);  // a caller's memory need not be aligned
      use(index, static_cast<double>(number));
    }
  }
};

class Table {
 public:
  Table() = default;
  Table(std::size_t rows, std::vector<Column> columns);

  // A (rows, cols) array of doubles, row after row.
  static Table of(const double* values, std::size_t rows, std::size_t cols);

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return columns_.size(); }
  const Column& column(std::size_t index) const { return columns_[index]; }
  double operator()(std::size_t row, std::size_t column) const { return columns_[column][row]; }

  // Where the table is an array of doubles with neighbouring columns: its first row. Rows are row_stride() apart.
  const double* row_major() const { return row_major_; }
  std::ptrdiff_t row_stride() const { return row_stride_; }

 private:
  std::size_t rows_ = 0;
  std::vector<Column> columns_;
  const double* row_major_ = nullptr;
  std::ptrdiff_t row_stride_ = 0;  // doubles
};

}  // namespace pyvalue
