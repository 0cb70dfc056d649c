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

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
