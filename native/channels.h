// Blocks of channels of an image, one in every lane of a register.
#pragma once
#include "parallel.h"
#include "transpose.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Rows (lanes), each `count` numbers long, into [number][lane]; numbers that no square holds one by one.
static void rows_to_lanes(const float* const* rows, long count, float* to) {
    long n = 0;
    for (; n + kLanes <= count; n += kLanes) {
        const float* from[kLanes];
        for (int i = 0; i < kLanes; ++i) from[i] = rows[i] + n;
        turn(from, to + n * kLanes, kLanes);
    }
    for (; n < count; ++n)
        for (int i = 0; i < kLanes; ++i) to[n * kLanes + i] = rows[i][n];
}

// The other way round, into rows `count` numbers apart.
static void lanes_to_rows(const float* lanes, long count, float* to) {
    long n = 0;
    for (; n + kLanes <= count; n += kLanes) {
        const float* from[kLanes];
        for (int i = 0; i < kLanes; ++i) from[i] = lanes + (n + i) * kLanes;
        turn(from, to + n, count);
    }
    for (; n < count; ++n)
        for (int i = 0; i < kLanes; ++i) to[i * count + n] = lanes[n * kLanes + i];
}

// Where an image's channels lie.
struct Channels {
    long channels, pixels;
    bool last;  // [pixel][channel], not [channel][pixel]

    long start(long sample, long channel) const {
        return sample * channels * pixels + (last ? channel : channel * pixels);
    }
};

// `count` channels, at most as many as lanes, into [pixel][lane]; zeros for channels that do not exist.
static void read_channels(const Channels& c, const float* from, long count, float* to) {
    if (c.last) {
        for (long n = 0; n < c.pixels; ++n, from += c.channels)
            for (long i = 0; i < kLanes; ++i) to[n * kLanes + i] = i < count ? from[i] : 0;
        return;
    }
    const float* rows[kLanes];
    for (long i = 0; i < kLanes; ++i) rows[i] = from + least(i, count - 1) * c.pixels;
    rows_to_lanes(rows, c.pixels, to);
    for (long i = count; i < kLanes; ++i)
        for (long n = 0; n < c.pixels; ++n) to[n * kLanes + i] = 0;
}

static void write_channels(const Channels& c, const float* lanes, long count, float* to) {
    if (!c.last && count == kLanes) return lanes_to_rows(lanes, c.pixels, to);
    const long channel_step = c.last ? 1 : c.pixels, pixel_step = c.last ? c.channels : 1;
    for (long n = 0; n < c.pixels; ++n)
        for (long i = 0; i < count; ++i) to[i * channel_step + n * pixel_step] = lanes[n * kLanes + i];
}

// Adds the sum of every vector's lanes to `to`.
static void add_lanes(const float* lanes, long count, float* to) {
    long n = 0;
    if constexpr (kTransposes)
        for (; n + kLanes <= count; n += kLanes) {
            Vector square[kLanes], total{};
            for (int i = 0; i < kLanes; ++i) square[i] = load(lanes + (n + i) * kLanes);
            transpose(square);
            for (int i = 0; i < kLanes; ++i) total += square[i];
            store(to + n, load(to + n) + total);
        }
    for (; n < count; ++n) to[n] += sum(load(lanes + n * kLanes));
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
