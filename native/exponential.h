// The exponential and the logistic function of a register.
#pragma once
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

typedef int Bits __attribute__((vector_size(kLanes * 4)));

// e^x between -87 and 87, outside of which floats lose digits and end; beyond, what it is there.
static inline Vector exponential(Vector x) {
    constexpr float kShift = 12582912.0f;  // 1.5 x 2^23: adding it rounds to a whole number, in the lowest bits
    constexpr int kShiftBits = 0x4b400000;
    const Vector lowest = Vector{} - 87.0f, highest = Vector{} + 87.0f;
    x = x < lowest ? lowest : x;
    x = x > highest ? highest : x;
    const Vector shifted = x * 1.44269504f + kShift, power = shifted - kShift;
    const Vector r = (x - power * 0.693359375f) + power * 2.12194440e-4f;
    Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const Bits exponent = ((Bits)shifted - kShiftBits + 127) << 23;
    return p * (Vector)exponent;
}

static inline Vector logistic(Vector x) { return 1.0f / (exponential(-x) + 1.0f); }

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
