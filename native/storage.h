// Numbers as maps hold them: floats, or bfloat16, the upper half of a float. All arithmetic is float's.
#pragma once
#include <cstdint>

namespace dynaconv {

struct BFloat16 {
    uint16_t bits;
};

// A map's numbers: `half` are BFloat16, else floats.
struct Map {
    void* data;
    bool half;
};

static inline float number(float value) { return value; }

static inline float number(BFloat16 value) {
    const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
    float wide;
    __builtin_memcpy(&wide, &bits, sizeof wide);
    return wide;
}

static inline void put(float& to, float value) { to = value; }

// Rounds to the nearest, to even between two; what is no number stays none.
static inline void put(BFloat16& to, float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    to.bits = static_cast<uint16_t>(value == value ? rounded : 0x7fc0);
}

}  // namespace dynaconv
