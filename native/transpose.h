// Squares of numbers turned over in registers: weights come column by column, and are used and made row by row.
#pragma once
#include <utility>

#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define DYNACONV_SHUFFLES 1
#endif
#endif

#ifdef DYNACONV_SHUFFLES
constexpr bool kTransposes = true;

template <int Half, int... Lane>
static inline void exchange(Vector& a, Vector& b, std::integer_sequence<int, Lane...>) {
    const Vector low = __builtin_shufflevector(a, b, (Lane & Half ? kLanes + Lane - Half : Lane)...);
    b = __builtin_shufflevector(a, b, (Lane & Half ? kLanes + Lane : Lane + Half)...);
    a = low;
}

template <int Half>
static inline void exchange_all(Vector* v) {
    for (int i = 0; i < kLanes; ++i)
        if (!(i & Half)) exchange<Half>(v[i], v[i + Half], std::make_integer_sequence<int, kLanes>());
    if constexpr (Half > 1) exchange_all<Half / 2>(v);
}

// Lane j of vector i and lane i of vector j change places.
static inline void transpose(Vector* v) { exchange_all<kLanes / 2>(v); }
#else
constexpr bool kTransposes = false;  // compilers without the builtin take everything number by number

static inline void transpose(Vector*) {}
#endif

// The square whose rows start at from[0 ... L-1], turned over: row i of it goes to column i of `to`.
static inline void turn(const float* const* from, float* to, long step) {
    if constexpr (kTransposes) {
        Vector square[kLanes];
        for (int i = 0; i < kLanes; ++i) square[i] = load(from[i]);
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(to + i * step, square[i]);
    } else {
        for (int i = 0; i < kLanes; ++i)
            for (int j = 0; j < kLanes; ++j) to[j * step + i] = from[i][j];
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
