// Factors of an attention on a field, laid out in tiles beside its features, and the way back.
#pragma once
#include "exponential.h"
#include "field_tile.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// The longest pieces in which a factor's numbers lie side by side, or are one number.
static inline Pieces pieces_of(const FieldPass& f, const Factor& factor, const FieldTile& tile) {
    const int64_t* s = factor.strides;
    if (!s[0] && !s[4] && !s[5]) return {&tile.whole, 1};
    return s[4] == f.p.out_size[2] * s[5] ? tile.samples : tile.rows;
}

static inline long place_in(const Factor& factor, const Piece& piece, long channel, long tap_row, long tap_column) {
    const int64_t* s = factor.strides;
    return piece.sample * s[0] + channel * s[1] + tap_row * s[2] + tap_column * s[3] + piece.row * s[4] +
           piece.column * s[5];
}

static inline void fill(float value, long count, float* to) {
    const Vector all = Vector{} + value;
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, all);
    for (; i + 4 <= count; i += 4) quad(to + i) = Quad{} + value;
    for (; i < count; ++i) to[i] = value;
}

// One channel's numbers as [tap][width].
static void expand(const FieldPass& f, const Factor& factor, const FieldTile& tile, long channel, float* to) {
    const Pieces pieces = pieces_of(f, factor, tile);
    const long taps_in_row = f.p.kernel[2];
    for (long i = 0; i < f.p.kernel[1]; ++i)
        for (long j = 0; j < taps_in_row; ++j, to += tile.width) {
            if (j && !factor.strides[3]) {
                copy(to - tile.width, tile.width, to);
                continue;
            }
            if (i && !factor.strides[2]) {
                copy(to - taps_in_row * tile.width, tile.width, to);
                continue;
            }
            for (const Piece& piece : pieces) {
                const float* from = factor.data + place_in(factor, piece, channel, i, j);
                if (factor.strides[5]) copy(from, piece.count, to + piece.at);
                else fill(*from, piece.count, to + piece.at);
            }
        }
}

static inline float total(const float* values, long count) {
    Vector totals = Vector{};
    Quad last = Quad{};
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) totals += load(values + i);
    float all = i ? sum(totals) : 0.0f;
    for (; i + 4 <= count; i += 4) last += quad(values + i);
    all += (last[0] + last[1]) + (last[2] + last[3]);
    for (; i < count; ++i) all += values[i];
    return all;
}

// sums = values x others of all the taps that share a factor's numbers with one of them.
static void add_shared(const FieldPass& f, const Factor& factor, long width, long tap_row, long tap_column,
                       const float* values, const float* others, float* sums) {
    const long next_row = factor.strides[2] ? tap_row + 1 : f.p.kernel[1];
    const long next_column = factor.strides[3] ? tap_column + 1 : f.p.kernel[2];
    for (long n = 0; n < width; n += kLanes) {
        Vector all = Vector{};
        for (long i = tap_row; i < next_row; ++i)
            for (long j = tap_column; j < next_column; ++j) {
                const long at = (i * f.p.kernel[2] + j) * width + n;
                all += load(values + at) * load(others + at);
            }
        store(sums + n, all);
    }
}

// The adjoint of expand for values x others, added to the channel group's gradient; `sums` holds a row of the tile.
static void reduce(const FieldPass& f, const Factor& factor, const FieldTile& tile, long channel, long group,
                   const float* values, const float* others, float* sums) {
    const Pieces pieces = pieces_of(f, factor, tile);
    float* gradient = factor.gradient + group * factor.group_step;
    for (long i = 0; i < (factor.strides[2] ? f.p.kernel[1] : 1); ++i)
        for (long j = 0; j < (factor.strides[3] ? f.p.kernel[2] : 1); ++j) {
            add_shared(f, factor, tile.width, i, j, values, others, sums);
            for (const Piece& piece : pieces) {
                float* to = gradient + place_in(factor, piece, channel, i, j);
                if (factor.strides[5]) add(sums + piece.at, piece.count, to);
                else *to += total(sums + piece.at, piece.count);
            }
        }
}

// The softmax of every column of [taps][width].
static void soften(long taps, long width, float* amounts) {
    for (long n = 0; n < width; n += kLanes) {
        Vector greatest = load(amounts + n), total = Vector{};
        for (long t = 1; t < taps; ++t) {
            const Vector v = load(amounts + t * width + n);
            greatest = v > greatest ? v : greatest;
        }
        for (long t = 0; t < taps; ++t) {
            const Vector e = exponential(load(amounts + t * width + n) - greatest);
            store(amounts + t * width + n, e);
            total += e;
        }
        const Vector share = 1.0f / total;
        for (long t = 0; t < taps; ++t) store(amounts + t * width + n, load(amounts + t * width + n) * share);
    }
}

// From the gradient of a softmax to that of what it was taken of.
static void harden(long taps, long width, const float* amounts, float* gradient) {
    for (long n = 0; n < width; n += kLanes) {
        Vector total = Vector{};
        for (long t = n; t < taps * width; t += width) total += load(gradient + t) * load(amounts + t);
        for (long t = n; t < taps * width; t += width)
            store(gradient + t, (load(gradient + t) - total) * load(amounts + t));
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
