// Images under weights of their frequency bands. A block of channels, one in every lane, stays in the second-level cache
// from its first product with waves to the last.
#pragma once
#include "bands_pass.h"
#include "channels.h"

namespace dynaconv {
namespace DYNACONV_ISA {

constexpr int kColumnsTogether = 4;
constexpr int kRowsTogether = kAccumulators / kColumnsTogether;

// The sums over k of matrix[k][i] in[k][j]: numbers in the matrix, vectors in `in`, whose steps count vectors.
struct WaveProduct {
    const float* matrix;
    long step, rows, depth;
    const float* in;
    long depth_step, column_step, columns;
};

template <int I, int J, class Take>
static inline void product_tile(const WaveProduct& p, long i, long j, const Take& take) {
    Vector total[I][J];
    for (int a = 0; a < I; ++a)
        for (int b = 0; b < J; ++b) total[a][b] = Vector{};
    const float* matrix = p.matrix + i;
    const float* in = p.in + j * p.column_step * kLanes;
    for (long k = 0; k < p.depth; ++k, matrix += p.step, in += p.depth_step * kLanes) {
        Vector v[J];
        for (int b = 0; b < J; ++b) v[b] = load(in + b * p.column_step * kLanes);
        for (int a = 0; a < I; ++a)
            for (int b = 0; b < J; ++b) total[a][b] += v[b] * matrix[a];
    }
    for (int a = 0; a < I; ++a)
        for (int b = 0; b < J; ++b) take(i + a, j + b, total[a][b]);
}

template <int I, int J, class Take>
static inline void product_rows(const WaveProduct& p, long i, long j, const Take& take) {
    for (; i + I <= p.rows; i += I) product_tile<I, J>(p, i, j, take);
    if constexpr (I > 1)
        if (i < p.rows) product_rows<I - 1, J>(p, i, j, take);
}

// Gives every sum to take(i, j, sum).
template <class Take>
static inline void multiply_waves(const WaveProduct& p, const Take& take) {
    long j = 0;
    for (; j + kColumnsTogether <= p.columns; j += kColumnsTogether)
        product_rows<kRowsTogether, kColumnsTogether>(p, 0, j, take);
    for (; j < p.columns; ++j) product_rows<kRowsTogether, 1>(p, 0, j, take);
}

// One item: some channels of a group of one sample.
struct BandItem {
    const BandPass& p;
    Channels layout;
    long place, first, next;  // of group and sample; channels of the group
    const float* weights;            // [map][pixel]
    const float* steps;              // [edge][pixel]: from the weight of each band to that of the next
    float *image, *flow, *half, *waves, *rows, *products;

    BandItem(const BandPass& pass, long index) : p(pass) {
        const BandProblem& b = p.problem;
        const long part = index % p.parts, blocks = ceil_div(b.group_channels(), kLanes), pixels = b.pixels();
        layout = {b.channels, pixels, b.channels_last != 0};
        place = index / p.parts;
        first = blocks * part / p.parts * kLanes;
        next = least(blocks * (part + 1) / p.parts * kLanes, b.group_channels());
        weights = p.weights + place * p.maps() * pixels;
        float* to = scratch(kSmall, b.edges * pixels);
        for (long i = 0; i < b.edges * pixels; ++i) to[i] = weights[pixels + i] - weights[i];
        steps = to;
        image = scratch(kSource, pixels * kLanes);
        flow = scratch(kAccumulator, pixels * kLanes);
        half = scratch(kKernel, b.height * p.across.count * kLanes);
        waves = scratch(kBank, p.down.count * p.across.count * kLanes);
        rows = scratch(kTile, kColumnsTogether * (p.across.count + b.width) * kLanes);
        products = rows + kColumnsTogether * p.across.count * kLanes;
    }

    long start(long channel) const {
        const BandProblem& b = p.problem;
        return layout.start(place / b.groups, place % b.groups * b.group_channels() + channel);
    }
    long count(long channel) const { return least(kLanes, next - channel); }
    void read(const float* images, long channel, float* to) const {
        read_channels(layout, images + start(channel), count(channel), to);
    }
    void write(long channel) const { write_channels(layout, image, count(channel), p.result + start(channel)); }
};

// Adds the coefficients of an image's waves below an edge to `waves`.
static void add_waves(const BandItem& item, const float* image, long edge) {
    const Waves &down = item.p.down, &across = item.p.across;
    const long count = across.count, narrow = across.below[edge];
    multiply_waves({across.by_pixel, count, narrow, across.size, image, 1, across.size, down.size},
                   [&](long wave, long row, Vector v) { store(item.half + (row * count + wave) * kLanes, v); });
    multiply_waves({down.by_pixel, down.count, down.below[edge], down.size, item.half, count, 1, narrow},
                   [&](long wave, long column, Vector v) {
                       float* to = item.waves + (wave * count + column) * kLanes;
                       store(to, load(to) + v);
                   });
}

static void clear_waves(const BandItem& item) { clear(item.waves, item.p.down.count * item.p.across.count * kLanes); }

// Some rows of the image that the waves below an edge make: gives take(pixel, number).
template <class Take>
static inline void make_rows(const BandItem& item, long edge, long row, long rows, const Take& take) {
    const Waves &down = item.p.down, &across = item.p.across;
    const long count = across.count, narrow = across.below[edge], width = across.size;
    multiply_waves({down.by_wave + row, down.size, rows, down.below[edge], item.waves, count, 1, narrow},
                   [&](long r, long wave, Vector v) { store(item.rows + (r * count + wave) * kLanes, v); });
    multiply_waves({across.by_wave, width, width, narrow, item.rows, 1, count, rows},
                   [&](long column, long r, Vector v) { take((row + r) * width + column, v); });
}

// The output's block of channels.
static void band_forward_item(void* context, long index) {
    const BandItem item(*static_cast<const BandPass*>(context), index);
    const BandProblem& b = item.p.problem;
    const long pixels = b.pixels();
    for (long channel = item.first; channel < item.next; channel += kLanes) {
        item.read(item.p.x, channel, item.image);
        clear_waves(item);
        add_waves(item, item.image, 0);
        for (long i = 0; i < pixels; ++i)
            store(item.image + i * kLanes, load(item.image + i * kLanes) * item.weights[i]);
        for (long row = 0; row < b.height; row += kColumnsTogether)
            for (long edge = 0; edge < b.edges; ++edge) {
                const float* steps = item.steps + edge * pixels;
                make_rows(item, edge, row, least(kColumnsTogether, b.height - row), [&](long pixel, Vector v) {
                    float* to = item.image + pixel * kLanes;
                    store(to, load(to) + v * steps[pixel]);
                });
            }
        item.write(channel);
    }
}

// Adds the channels' sums of flow times x and times its low parts.
static void add_amounts(const BandItem& item, float* amounts) {
    const BandProblem& b = item.p.problem;
    for (long row = 0; row < b.height; row += kColumnsTogether) {
        const long rows = least(kColumnsTogether, b.height - row), first = row * b.width, count = rows * b.width;
        for (long i = 0; i < count * kLanes; i += kLanes)
            store(item.products + i, load(item.flow + first * kLanes + i) * load(item.image + first * kLanes + i));
        add_lanes(item.products, count, amounts + first);
        for (long edge = 0; edge < b.edges; ++edge) {
            make_rows(item, edge, row, rows, [&](long pixel, Vector v) {
                store(item.products + (pixel - first) * kLanes, load(item.flow + pixel * kLanes) * v);
            });
            add_lanes(item.products, count, amounts + (edge + 1) * b.pixels() + first);
        }
    }
}

// The gradients of a block of channels: what the weights have of it, and that of x.
static void band_backward_item(void* context, long index) {
    const BandItem item(*static_cast<const BandPass*>(context), index);
    const BandProblem& b = item.p.problem;
    const long pixels = b.pixels();
    float* amounts = item.p.amounts + index * item.p.maps() * pixels;
    clear(amounts, item.p.maps() * pixels);
    for (long channel = item.first; channel < item.next; channel += kLanes) {
        item.read(item.p.x, channel, item.image);
        item.read(item.p.gradient, channel, item.flow);
        clear_waves(item);
        add_waves(item, item.image, 0);
        add_amounts(item, amounts);
        clear_waves(item);
        for (long edge = 0; edge < b.edges; ++edge) {
            // The image has served.
            for (long i = 0; i < pixels; ++i)
                store(item.image + i * kLanes, load(item.flow + i * kLanes) * item.steps[edge * pixels + i]);
            add_waves(item, item.image, edge);
        }
        for (long row = 0; row < b.height; row += kColumnsTogether)
            make_rows(item, 0, row, least(kColumnsTogether, b.height - row), [&](long pixel, Vector v) {
                store(item.image + pixel * kLanes, load(item.flow + pixel * kLanes) * item.weights[pixel] + v);
            });
        item.write(channel);
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
