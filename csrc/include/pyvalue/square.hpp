// An owning square matrix.
#pragma once

#include <cstddef>
#include <vector>

namespace pyvalue {

template <class T>
class Square {
 public:
  Square() = default;
  explicit Square(std::size_t size, T fill = T{}) { reset(size, fill); }

  // Keeps the memory when the size shrinks, so that one object serves many replicates.
  void reset(std::size_t size, T fill = T{}) {
    size_ = size;
    values_.assign(size * size, fill);
  }

  std::size_t size() const { return size_; }
  T& operator()(std::size_t row, std::size_t col) { return values_[row * size_ + col]; }
  const T& operator()(std::size_t row, std::size_t col) const { return values_[row * size_ + col]; }
  T* row(std::size_t index) { return values_.data() + index * size_; }
  const T* row(std::size_t index) const { return values_.data() + index * size_; }
  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }

 private:
  std::size_t size_ = 0;
  std::vector<T> values_;
};

using SquareMatrix = Square<double>;

}  // namespace pyvalue
