// Small random tables for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyvalue/random.hpp"
#include "pyvalue/table.hpp"

namespace pyvalue::testing {

struct Sample {
  std::size_t rows, cols;
  std::vector<double> values;

  Table view() const { return Table::of(values.data(), rows, cols); }
};

inline double standard_normal(Philox& random) {
  double sum = -6.0;  // twelve uniforms: close enough to normal for a test
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.next()) / 4294967296.0;
  return sum;
}

// Linear model on a random DAG: column j gets each earlier column as a parent with the given probability.
inline Sample linear_sample(std::size_t rows, std::size_t cols, double density, std::uint64_t seed) {
  Philox random(seed, 0);
  const auto uniform = [&random] { return static_cast<double>(random.next()) / 4294967296.0; };
  std::vector<double> weights(cols * cols, 0.0);
  for (std::size_t j = 0; j < cols; ++j)
    for (std::size_t i = 0; i < j; ++i)
      if (uniform() < density) weights[i * cols + j] = (uniform() < 0.5 ? -1.0 : 1.0) * (0.3 + 0.7 * uniform());
  Sample sample{rows, cols, std::vector<double>(rows * cols)};
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < cols; ++j) {
      double value = standard_normal(random);
      for (std::size_t i = 0; i < j; ++i) value += weights[i * cols + j] * sample.values[row * cols + i];
      sample.values[row * cols + j] = value;
    }
  }
  return sample;
}

}  // namespace pyvalue::testing
