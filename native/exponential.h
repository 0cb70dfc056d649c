// The logistic function of a register.
#pragma once
#include <cstdint>

#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

typedef int32_t Integers __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

static inline Vector within(Vector v, float low, float high) {
    const Vector l = Vector{} + low, h = Vector{} + high;
    v = v < l ? l : v;
    return v > h ? h : v;
}

// To two units in the last place between -87 and 87, and the value there beyond.
static inline Vector exponential(Vector x) {
    x = within(x, -87.0f, 87.0f);
    // Adding 1.5 * 2^23 rounds to a whole number, which then is the low bits.
    const Vector shifted = x * 1.44269504f + 12582912.0f;
    const Vector whole = shifted - 12582912.0f;
    const Vector r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const Integers exponent = (reinterpret_cast<Integers&>(const_cast<Vector&>(shifted)) - 0x4b400000) << 23;
    const Integers bits = reinterpret_cast<Integers&>(p) + exponent;
    return reinterpret_cast<const Vector&>(bits);
}

static inline Vector logistic(Vector x) { return 1.0f / (exponential(-x) + 1.0f); }

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
