// Assertions of the C++ tests. A test is a function that is registered by its name.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace pyvalue::testing {

struct Test {
  std::string name;
  std::function<void()> run;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Register {
  Register(const char* name, std::function<void()> run) { tests().push_back({name, std::move(run)}); }
};

inline void check(bool condition, const char* text, const char* file, int line) {
  if (condition) return;
  std::ostringstream message;
  message << file << ':' << line << ": " << text;
  throw std::runtime_error(message.str());
}

}  // namespace pyvalue::testing

#define CHECK(condition) pyvalue::testing::check((condition), #condition, __FILE__, __LINE__)
#define TEST(name)                                                       \
  static void name();                                                    \
  static const pyvalue::testing::Register register_##name(#name, name);  \
  static void name()
