// Passes over a receptive field that is never written out: a tile of a channel's features is made, used and forgotten.
#pragma once
#include "factors.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Tiles that lie in the first-level cache together.
struct FieldScratch {
    float *windows, *features, *amounts, *left, *right, *found, *row;
    explicit FieldScratch(const FieldPass& f) {
        const long size = (f.taps() + 1) * f.tile_columns();
        float* next = scratch(kSource, 6 * size + f.tile_columns());
        for (float** tile : {&windows, &features, &amounts, &left, &right, &found}) {
            *tile = next;
            next += size;
        }
        row = next;
    }
};

// Both factors and their product, or its softmax.
static void attend(const FieldPass& f, const FieldTile& tile, long channel, const FieldScratch& s) {
    const long size = f.taps() * tile.width;
    expand(f, f.left, tile, channel, s.left);
    expand(f, f.right, tile, channel, s.right);
    for (long i = 0; i < size; i += kLanes) store(s.amounts + i, load(s.left + i) * load(s.right + i));
    if (f.rule == kSoftmax) soften(f.taps(), tile.width, s.amounts);
}

static void write_weighted(const FieldPass& f, const FieldTile& tile, long channel, const FieldScratch& s) {
    attend(f, tile, channel, s);
    const long size = f.taps() * tile.width;
    for (long i = 0; i < size; i += kLanes) store(s.features + i, load(s.features + i) * load(s.amounts + i));
    float* to = f.result + channel * f.taps() * f.columns() + tile.first;
    for (long t = 0; t < f.taps(); ++t) copy(s.features + t * tile.width, tile.count, to + t * f.columns());
}

static void add_squares(const FieldPass& f, const FieldTile& tile, long channel, const FieldScratch& s) {
    for (long t = 0; t < f.taps(); ++t) {
        const float* row = s.features + t * tile.width;
        Vector squares = Vector{};
        for (long n = 0; n < tile.width; n += kLanes) squares += load(row + n) * load(row + n);
        f.result[channel * f.taps() + t] += sum(squares);
    }
}

static void add_lines(const FieldPass& f, const FieldTile& tile, long channel, long group, const FieldScratch& s) {
    fill(1.0f, f.taps() * tile.width, s.amounts);
    reduce(f, f.left, tile, channel, group, s.features, s.amounts, s.row);
    reduce(f, f.right, tile, channel, group, s.features, s.amounts, s.row);
}

// One item: a group of channels. Some tiles at a time, so that what all channels read of them stays in cache.
static void field_forward_item(void* context, long group) {
    const FieldPass& f = *static_cast<const FieldPass*>(context);
    const FieldScratch s(f);
    for (long index = 0; index < f.runs(); ++index) {
        const TileRun run = tile_run(f, index);
        for (long channel = f.first_channel(group); channel < f.first_channel(group + 1); ++channel)
            for (const FieldTile& tile : run) {
                lay_out(f, tile, channel, s.windows);
                make_features(f, tile, channel, s.windows, s.features);
                if (f.rule == kStatistics) add_squares(f, tile, channel, s);
                else if (f.rule == kLines) add_lines(f, tile, channel, group, s);
                else write_weighted(f, tile, channel, s);
            }
    }
}

// The greatest of features and those of channels before, and their sum or how many are equal to the greatest.
static void compare(const FieldPass& f, long size, bool first, const float* features, float* greatest, float* other) {
    const Vector one = Vector{} + 1.0f;
    for (long i = 0; i < size; i += kLanes) {
        const Vector v = load(features + i);
        if (first) {
            store(greatest + i, v);
            store(other + i, f.ties ? one : v);
            continue;
        }
        const Vector best = load(greatest + i), kept = load(other + i);
        if (f.ties) store(other + i, v > best ? one : v == best ? kept + one : kept);
        else store(other + i, kept + v);
        // What is no number stays.
        store(greatest + i, (v <= best) | (best != best) ? best : v);
    }
}

// A tile of the greatest, and of what stands beside them, times `scale`: result is [sample][2][tap][position].
static void store_greatest(const FieldPass& f, const FieldTile& tile, float scale, const float* greatest,
                           float* other) {
    const long pixels = f.p.out_pixels(), size = f.taps() * tile.width;
    for (long i = 0; i < size; i += kLanes) store(other + i, load(other + i) * scale);
    for (const Piece& piece : tile.samples)
        for (long t = 0; t < f.taps(); ++t) {
            const long position = piece.row * f.p.out_size[2] + piece.column, at = t * tile.width + piece.at;
            float* to = f.result + (piece.sample * 2 * f.taps() + t) * pixels + position;
            copy(greatest + at, piece.count, to);
            copy(other + at, piece.count, to + f.taps() * pixels);
        }
}

// One item: some tiles, for which all channels are compared.
static void field_greatest_item(void* context, long index) {
    const FieldPass& f = *static_cast<const FieldPass*>(context);
    const FieldScratch s(f);
    const TileRun run = tile_run(f, index);
    const long size = f.taps() * f.tile_columns();
    float* greatest = scratch(kAccumulator, 2 * run.count * size);
    float* other = greatest + run.count * size;
    for (long channel = 0; channel < f.channels(); ++channel)
        for (long n = 0; n < run.count; ++n) {
            lay_out(f, run.all[n], channel, s.windows);
            make_features(f, run.all[n], channel, s.windows, s.features);
            compare(f, f.taps() * run.all[n].width, channel == 0, s.features, greatest + n * size, other + n * size);
        }
    const float scale = f.ties ? 1.0f : 1.0f / static_cast<float>(f.channels());
    for (long n = 0; n < run.count; ++n) store_greatest(f, run.all[n], scale, greatest + n * size, other + n * size);
}

// From the gradient of weighted features to that of features, and to the factors'.
static void back_through_weights(const FieldPass& f, const FieldTile& tile, long channel, long group,
                                 const FieldScratch& s) {
    attend(f, tile, channel, s);
    const long size = f.taps() * tile.width;
    const float* from = f.flow + channel * f.taps() * f.columns() + tile.first;
    for (long t = 0; t < f.taps(); ++t) copy(from + t * f.columns(), tile.count, s.found + t * tile.width);
    for (long i = 0; i < size; i += kLanes) {
        const Vector flow = load(s.found + i), v = load(s.features + i);
        store(s.features + i, flow * v);
        store(s.found + i, v <= Vector{} ? Vector{} : flow * load(s.amounts + i));
    }
    if (f.rule == kSoftmax) harden(f.taps(), tile.width, s.amounts, s.features);
    if (f.left.gradient) reduce(f, f.left, tile, channel, group, s.features, s.right, s.row);
    if (f.right.gradient) reduce(f, f.right, tile, channel, group, s.features, s.left, s.row);
}

// The gradient of a tile's features.
static const float* field_gradient(const FieldPass& f, const FieldTile& tile, long channel, long group,
                                   const FieldScratch& s) {
    const long size = f.taps() * tile.width;
    if (f.rule == kStatistics) return s.features;
    if (f.rule == kProduct || f.rule == kSoftmax) {
        back_through_weights(f, tile, channel, group, s);
        return s.found;
    }
    expand(f, f.left, tile, channel, s.left);
    expand(f, f.right, tile, channel, s.right);
    if (f.rule == kGreatest) {
        expand(f, f.mark, tile, channel, s.amounts);
        for (long i = 0; i < size; i += kLanes)
            store(s.left + i, load(s.features + i) == load(s.amounts + i) ? load(s.left + i) : Vector{});
    }
    for (long i = 0; i < size; i += kLanes) {
        const Vector flow = load(s.left + i) + load(s.right + i);
        store(s.found + i, load(s.features + i) <= Vector{} ? Vector{} : flow);
    }
    return s.found;
}

// One item: a group of channels.
static void field_back_item(void* context, long group) {
    const FieldPass& f = *static_cast<const FieldPass*>(context);
    const FieldScratch s(f);
    const long first = f.first_channel(group), next = f.first_channel(group + 1);
    const long taps = f.taps(), kernel = taps * (taps + 1);
    float* sums = scratch(kKernel, (next - first) * kernel * kLanes);
    clear(sums, (next - first) * kernel * kLanes);
    for (long index = 0; index < f.runs(); ++index) {
        const TileRun run = tile_run(f, index);
        for (long channel = first; channel < next; ++channel)
            for (const FieldTile& tile : run) {
                lay_out(f, tile, channel, s.windows);
                make_features(f, tile, channel, s.windows, s.features);
                const float* found = field_gradient(f, tile, channel, group, s);
                add_dots(found, taps, s.windows, taps + 1, tile.width, sums + (channel - first) * kernel * kLanes);
                // The windows have served.
                multiply_rows(f.back + channel * taps * taps, taps, taps, found, tile.width, s.windows);
                lead_to_map(f, tile, channel, s.windows);
            }
    }
    for (long i = 0; i < (next - first) * kernel; ++i) f.to_kernels[first * kernel + i] += sum(load(sums + i * kLanes));
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
