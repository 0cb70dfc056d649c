// One SIMD register of the instruction set that this file is compiled for. Such files use nothing of the standard
// library: an inline function compiled for AVX-512 must never be the copy that another file's code calls.
#pragma once
#include "problem.h"

#if defined(__AVX512F__)
#define DYNACONV_ISA avx512
#elif defined(__AVX2__)
#define DYNACONV_ISA avx2
#elif defined(__aarch64__)
#define DYNACONV_ISA neon
#else
#define DYNACONV_ISA portable
#endif

namespace dynaconv {
namespace DYNACONV_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileVectors = 4, kAccumulators = 24;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kTileVectors = 2, kAccumulators = 12;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileVectors = 4, kAccumulators = 24;
#else
constexpr int kLanes = 4, kTileVectors = 2, kAccumulators = 12;
#endif

// Rows of a register tile that is V vectors wide.
constexpr int tile_rows(int vectors) {
    return kAccumulators / vectors < 12 ? kAccumulators / vectors : 12;
}

typedef float Vector __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

static inline Vector load(const float* p) { return *reinterpret_cast<const Vector*>(p); }
static inline void store(float* p, Vector v) { *reinterpret_cast<Vector*>(p) = v; }

static inline float sum(Vector v) {
    float total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += v[lane];
    return total;
}

static inline void clear(float* p, long floats) {
    for (long i = 0; i < floats; ++i) p[i] = 0;
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
