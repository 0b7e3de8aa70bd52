#include <cstdio>
#include <exception>

#include "check.hpp"

int main() {
  int failed = 0;
  for (const auto& test : pyvalue::testing::tests()) {
    try {
      test.run();
      std::printf("ok      %s\n", test.name.c_str());
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED  %s: %s\n", test.name.c_str(), error.what());
    }
  }
  std::printf("%zu tests, %d failed\n", pyvalue::testing::tests().size(), failed);
  return failed == 0 ? 0 : 1;
}
