#include "pyvalue/simd.hpp"

namespace pyvalue {

extern const SimdKernels simd_kernels_baseline;
#ifdef PYVALUE_X86_KERNELS
extern const SimdKernels simd_kernels_avx2;
extern const SimdKernels simd_kernels_avx512;
#endif

std::size_t runnable_simd_kernels(const SimdKernels* (&kernels)[3]) {
  std::size_t count = 0;
#ifdef PYVALUE_X86_KERNELS
  if (__builtin_cpu_supports("avx512f")) kernels[count++] = &simd_kernels_avx512;
  if (__builtin_cpu_supports("avx2")) kernels[count++] = &simd_kernels_avx2;
#endif
  kernels[count++] = &simd_kernels_baseline;
  return count;
}

const SimdKernels& simd_kernels() {
  static const SimdKernels& fastest = [] () -> const SimdKernels& {
    const SimdKernels* kernels[3];
    runnable_simd_kernels(kernels);
    return *kernels[0];
  }();
  return fastest;
}

}  // namespace pyvalue
