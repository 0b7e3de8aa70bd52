#include "pyvalue/contingency_kernels.hpp"

namespace pyvalue {

extern const ContingencyKernels contingency_kernels_baseline;
#ifdef PYVALUE_X86_KERNELS
extern const ContingencyKernels contingency_kernels_avx2;
extern const ContingencyKernels contingency_kernels_avx512;
#endif

// Not every processor with AVX-512 counts bits in its wide registers.
std::size_t runnable_contingency_kernels(const ContingencyKernels* (&kernels)[3]) {
  std::size_t count = 0;
#ifdef PYVALUE_X86_KERNELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq"))
    kernels[count++] = &contingency_kernels_avx512;
  if (__builtin_cpu_supports("avx2")) kernels[count++] = &contingency_kernels_avx2;
#endif
  kernels[count++] = &contingency_kernels_baseline;
  return count;
}

const ContingencyKernels& contingency_kernels() {
  static const ContingencyKernels& fastest = []() -> const ContingencyKernels& {
    const ContingencyKernels* kernels[3];
    runnable_contingency_kernels(kernels);
    return *kernels[0];
  }();
  return fastest;
}

}  // namespace pyvalue
