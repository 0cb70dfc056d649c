// Gradients of the bank, the mixture, the tap scales and the column scales. One sample's kernel gradient exists only
// as a tile of kFoldRows rows: it is added into the experts' gradients and dotted with their weights while in cache.
#pragma once
#include "assemble.h"
#include "source.h"
#include "tile.h"
#include "unpack.h"

namespace dynaconv {
namespace DYNACONV_ISA {

constexpr long kFoldRows = 24;

struct Fold {
    const float* tile[kMostTogether];     // a sample's kernel gradient, [rows][width]
    const float* scale[kMostTogether];    // its column scale, [width]
    float* lanes[kMostTogether];          // gradient of the column scale, [width], or null
    float* dots[kMostTogether];           // [experts][kLanes]
    const float* weights[kMostTogether];  // per expert, [rows][width]
    float* sums[kMostTogether];           // per expert, [rows][width]
    float coefficient[kMostTogether][kMostTogether];
    long rows, width;
    bool first;  // nothing has been added to sums yet
};

template <int S, int E, bool First>
static inline void fold_columns(const Fold& f, long column) {
    Vector scale[S], dot[S][E];
    for (int s = 0; s < S; ++s) {
        scale[s] = load(f.scale[s] + column);
        for (int e = 0; e < E; ++e) dot[s][e] = Vector{};
    }
    for (long r = 0; r < f.rows; ++r) {
        const long at = r * f.width + column;
        Vector plain[S], scaled[S];
        for (int s = 0; s < S; ++s) {
            plain[s] = load(f.tile[s] + at);
            scaled[s] = plain[s] * scale[s];
        }
        for (int e = 0; e < E; ++e) {
            const Vector weight = load(f.weights[e] + at);
            Vector total = First ? Vector{} : load(f.sums[e] + at);
            for (int s = 0; s < S; ++s) {
                total += f.coefficient[s][e] * scaled[s];
                dot[s][e] += plain[s] * weight;
            }
            store(f.sums[e] + at, total);
        }
    }
    for (int s = 0; s < S; ++s) {
        Vector lane = Vector{};
        for (int e = 0; e < E; ++e) {
            lane += f.coefficient[s][e] * dot[s][e];
            float* dots = f.dots[s] + e * kLanes;
            store(dots, load(dots) + scale[s] * dot[s][e]);
        }
        if (f.lanes[s]) store(f.lanes[s] + column, load(f.lanes[s] + column) + lane);
    }
}

template <int S, int E>
static void fold(const Fold& f) {
    for (long column = 0; column < f.width; column += kLanes)
        if (f.first)
            fold_columns<S, E, true>(f, column);
        else
            fold_columns<S, E, false>(f, column);
}

template <int S>
static void fold_experts(int experts, const Fold& f) {
    switch (experts) {
        case 1: return fold<S, 1>(f);
        case 2: return fold<S, 2>(f);
        case 3: return fold<S, 3>(f);
        default: return fold<S, 4>(f);
    }
}

static void fold_samples(int samples, int experts, const Fold& f) {
    switch (samples) {
        case 1: return fold_experts<1>(experts, f);
        case 2: return fold_experts<2>(experts, f);
        case 3: return fold_experts<3>(experts, f);
        default: return fold_experts<4>(experts, f);
    }
}

// One item: a column block of one group, a range of rows, every tap and sample.
struct GradientItem {
    long group, column_block, row_range, first_row, rows, width, columns;
    float* coefficients;                // [samples][experts][taps]
    float *source, *gradient, *scales;  // packed slices
    float *tiles, *dots;
    const float* weights;  // the experts' weights of the item, [expert][tap][row][width]
    float* sums;           // their gradients, likewise
    long source_size, gradient_size;
    bool lanes;
};

static GradientItem locate(const Gradient& g, long index) {
    const BankShape& shape = g.bank_shape;
    GradientItem item;
    item.coefficients = g.coefficient_parts + index * g.samples * shape.experts * shape.taps;
    const long ranges = g.row_ranges();
    item.row_range = index % ranges;
    index /= ranges;
    item.column_block = index % shape.column_blocks();
    item.group = index / shape.column_blocks();
    item.first_row = item.row_range * g.row_range;
    item.rows = least(g.row_range, shape.rows - item.first_row);
    item.width = block_width(shape.columns, item.column_block);
    item.columns = least(item.width, shape.columns - item.column_block * kColumnBlock);
    item.lanes = shape.lane_columns > 0;
    item.source_size = (g.largest_source + 1) * item.rows * (item.lanes ? item.width : 1);
    item.gradient_size = g.largest_destination * item.width;
    item.source = scratch(kSource, g.slice_block * item.source_size);
    item.gradient = scratch(kAccumulator, g.slice_block * item.gradient_size);
    item.scales = scratch(kSmall, g.slice_block * (item.width + shape.experts * kLanes));
    item.dots = item.scales + g.slice_block * item.width;
    item.tiles = scratch(kTile, kMostTogether * kFoldRows * item.width);
    item.weights = read_experts(g, false, item.group,
                                {item.first_row, item.rows, item.column_block * kColumnBlock, item.width});
    item.sums = scratch(kKernel, shape.experts * shape.taps * item.rows * item.width);
    return item;
}

// Packs one slice: the source rows of the range (scaled), the gradient's columns and their scales (both padded).
static void pack_slice(const Gradient& g, const GradientItem& item, long slice, long place) {
    const BankShape& shape = g.bank_shape;
    const long sample = slice / g.block_count;
    const BlockTable& block = g.blocks[slice % g.block_count];
    pack_source(g, block, sample, {item.group, item.first_row, item.rows, item.column_block * kColumnBlock, item.width},
                item.source + place * item.source_size);
    const long outputs = g.destination_channels;
    const long output = item.group * shape.columns + item.column_block * kColumnBlock;
    pack_gradient_columns(g, block, sample, output, item.columns, item.width, item.gradient + place * item.gradient_size);
    float* scales = item.scales + place * item.width;
    for (long j = 0; j < item.width; ++j)
        scales[j] = g.destination_scale && j < item.columns ? g.destination_scale[sample * outputs + output + j] : 1.0f;
}

// The kernel gradients of up to four slices for one tap and a few rows, folded into the experts' gradients.
static void fold_slices(const Gradient& g, const GradientItem& item, long tap, long row, long rows, long first_slice,
                        long place, int together) {
    const BankShape& shape = g.bank_shape;
    Fold f;
    f.rows = rows;
    f.width = item.width;
    f.first = first_slice + place == 0;
    for (int s = 0; s < together; ++s) {
        const long slice = first_slice + place + s;
        float* tile = item.tiles + s * kFoldRows * item.width;
        const TapGroup& taps = g.blocks[slice % g.block_count].groups[tap];
        if (taps.run_count == 0) {
            clear(tile, rows * item.width);
        } else {
            const Run& run = taps.runs[0];
            const long pixel = item.source_size / (g.largest_source + 1);
            outer({item.source + (place + s) * item.source_size + row * (item.lanes ? item.width : 1),
                   item.gradient + (place + s) * item.gradient_size, pixel, item.width, run.source, run.destination,
                   run.count, item.lanes, false},
                  static_cast<int>(rows), tile);
        }
        f.tile[s] = tile;
        f.scale[s] = item.scales + (place + s) * item.width;
        const long sample = slice / g.block_count;
        const long columns = padded_columns(shape.columns);
        f.lanes[s] = g.scale_parts ? g.scale_parts + ((item.group * g.row_ranges() + item.row_range) * g.samples +
                                                      sample) * columns + item.column_block * kColumnBlock
                                   : nullptr;
    }
    for (long first = 0; first < shape.experts; first += kMostTogether) {
        const int experts = static_cast<int>(least(kMostTogether, shape.experts - first));
        for (int e = 0; e < experts; ++e) {
            const long start = (((first + e) * shape.taps + tap) * item.rows + row) * item.width;
            f.weights[e] = item.weights + start;
            f.sums[e] = item.sums + start;
            for (int s = 0; s < together; ++s)
                f.coefficient[s][e] = coefficient(g, (first_slice + place + s) / g.block_count, first + e, tap);
        }
        for (int s = 0; s < together; ++s) f.dots[s] = item.dots + ((place + s) * shape.experts + first) * kLanes;
        fold_samples(together, experts, f);
    }
}

static void store_sums(const Gradient& g, const GradientItem& item) {
    const long size = g.bank_shape.taps * item.rows;
    const PlainPart part{item.group, item.column_block * kColumnBlock, item.columns, item.first_row, item.rows};
    for (long e = 0; e < g.bank_shape.experts; ++e)
        store_plain(g.bank_shape, part, e, item.sums + e * size * item.width, item.width, g.bank_gradient);
}

static void gradient_item(void* context, long index) {
    const Gradient& g = *static_cast<const Gradient*>(context);
    const BankShape& shape = g.bank_shape;
    const GradientItem item = locate(g, index);
    clear(item.coefficients, g.samples * shape.experts * shape.taps);
    const long slices = g.samples * g.block_count, parts = ceil_div(item.rows, kFoldRows);
    for (long first = 0; first < slices; first += g.slice_block) {
        const long count = least(g.slice_block, slices - first);
        for (long place = 0; place < count; ++place) pack_slice(g, item, first + place, place);
        for (long tap = 0; tap < shape.taps; ++tap) {
            clear(item.dots, count * shape.experts * kLanes);
            for (long part = 0; part < parts; ++part) {
                const long row = item.rows * part / parts, next = item.rows * (part + 1) / parts;
                for (long place = 0; place < count; place += kMostTogether)
                    fold_slices(g, item, tap, row, next - row, first, place,
                                static_cast<int>(least(kMostTogether, count - place)));
            }
            for (long place = 0; place < count; ++place)
                for (long e = 0; e < shape.experts; ++e)
                    item.coefficients[((first + place) / g.block_count * shape.experts + e) * shape.taps + tap] +=
                        sum(load(item.dots + (place * shape.experts + e) * kLanes));
        }
    }
    store_sums(g, item);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
