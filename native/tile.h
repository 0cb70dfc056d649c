// Register tiles: the two inner products that take nearly all of the time.
#pragma once
#include "parallel.h"
#include "tables.h"
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// What a forward tile reads: source pixels in rows of `rows` floats, kernels as [tap][rows][width].
struct Operands {
    const float* source;  // [pixel][rows], or [pixel][rows][width] lane by lane
    const float* kernel;
    long rows, width, tap_size;
    float* accumulator;  // [pixel][width]
    bool lanes;          // lane by lane: each column has its own source channels
};

// P pixels of a run, V vectors of columns: accumulator[pixel] += sum over taps and rows of source x kernel.
template <int P, int V>
static inline void multiply_tile(const Operands& o, const Run& run, int first) {
    Vector a[P][V];
    float* out[P];
    for (int p = 0; p < P; ++p) {
        out[p] = o.accumulator + run.destination[first + p] * o.width;
        for (int v = 0; v < V; ++v) a[p][v] = load(out[p] + v * kLanes);
    }
    for (int t = 0; t < run.tap_count; ++t) {
        const int* source = run.source + static_cast<long>(t) * run.count + first;
        const float* x[P];
        for (int p = 0; p < P; ++p) x[p] = o.source + source[p] * o.rows;
        const float* w = o.kernel + run.taps[t] * o.tap_size;
        for (long r = 0; r < o.rows; ++r, w += o.width) {
            Vector column[V];
            for (int v = 0; v < V; ++v) column[v] = load(w + v * kLanes);
            for (int p = 0; p < P; ++p) {
                const float value = x[p][r];
                for (int v = 0; v < V; ++v) a[p][v] += value * column[v];
            }
        }
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) store(out[p] + v * kLanes, a[p][v]);
}

// As multiply_tile, lane by lane.
template <int P, int V>
static inline void multiply_lanes_tile(const Operands& o, const Run& run, int first) {
    Vector a[P][V];
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) a[p][v] = load(o.accumulator + run.destination[first + p] * o.width + v * kLanes);
    const long pixel = o.rows * o.width;
    for (int t = 0; t < run.tap_count; ++t) {
        const int* source = run.source + static_cast<long>(t) * run.count + first;
        const float* w = o.kernel + run.taps[t] * o.tap_size;
        for (long r = 0; r < pixel; r += o.width) {
            Vector column[V];
            for (int v = 0; v < V; ++v) column[v] = load(w + r + v * kLanes);
            for (int p = 0; p < P; ++p)
                for (int v = 0; v < V; ++v) a[p][v] += load(o.source + source[p] * pixel + r + v * kLanes) * column[v];
        }
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) store(o.accumulator + run.destination[first + p] * o.width + v * kLanes, a[p][v]);
}

template <int V>
static void multiply_lanes_run(const Operands& o, const Run& run) {
    constexpr int kPixels = kAccumulators / 6;
    int first = 0;
    for (; first + kPixels <= run.count; first += kPixels) multiply_lanes_tile<kPixels, V>(o, run, first);
    for (; first < run.count; ++first) multiply_lanes_tile<1, V>(o, run, first);
}

// What a gradient tile reads: pairs of pixels that meet under one tap.
struct Pairs {
    const float* source;    // [pixel][source_stride]; lane by lane [pixel][rows][width]
    const float* gradient;  // [pixel][width]
    long source_stride, width;
    const int* source_pixel;
    const int* gradient_pixel;
    int count;
    bool lanes;
    bool add;  // to what is there
};

// P rows, V vectors of columns: out[row] (+)= sum over pairs of source x gradient.
template <int P, int V>
static inline void outer_tile(const Pairs& o, float* out) {
    Vector a[P][V];
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) a[p][v] = o.add ? load(out + p * o.width + v * kLanes) : Vector{};
    for (int n = 0; n < o.count; ++n) {
        const float* x = o.source + o.source_pixel[n] * o.source_stride;
        const float* g = o.gradient + o.gradient_pixel[n] * o.width;
        Vector column[V];
        for (int v = 0; v < V; ++v) column[v] = load(g + v * kLanes);
        for (int p = 0; p < P; ++p)
            for (int v = 0; v < V; ++v) a[p][v] += x[p] * column[v];
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) store(out + p * o.width + v * kLanes, a[p][v]);
}

// One row, V vectors of columns, lane by lane.
template <int V>
static inline void outer_lanes_row(const Pairs& o, float* out) {
    Vector a[V];
    for (int v = 0; v < V; ++v) a[v] = o.add ? load(out + v * kLanes) : Vector{};
    for (int n = 0; n < o.count; ++n) {
        const float* x = o.source + o.source_pixel[n] * o.source_stride;
        const float* g = o.gradient + o.gradient_pixel[n] * o.width;
        for (int v = 0; v < V; ++v) a[v] += load(x + v * kLanes) * load(g + v * kLanes);
    }
    for (int v = 0; v < V; ++v) store(out + v * kLanes, a[v]);
}

// Turns a run-time number of rows into the tile compiled for it.
template <int P, int V>
struct Pick {
    static void multiply(int rows, const Operands& o, const Run& run, int first) {
        if (rows == P)
            multiply_tile<P, V>(o, run, first);
        else
            Pick<P - 1, V>::multiply(rows, o, run, first);
    }
    static void outer(int rows, const Pairs& pairs, float* out) {
        if (rows == P)
            outer_tile<P, V>(pairs, out);
        else
            Pick<P - 1, V>::outer(rows, pairs, out);
    }
};

template <int V>
struct Pick<0, V> {
    static void multiply(int, const Operands&, const Run&, int) {}
    static void outer(int, const Pairs&, float*) {}
};

// All pixels of a run, in tiles of nearly equal size so that no tile is too small to fill the pipeline.
template <int V>
static void multiply_run(const Operands& o, const Run& run) {
    if (o.lanes) return multiply_lanes_run<V>(o, run);
    const int tiles = static_cast<int>(ceil_div(run.count, tile_rows(V)));
    for (int t = 0; t < tiles; ++t) {
        const int first = static_cast<int>(static_cast<long>(run.count) * t / tiles);
        const int next = static_cast<int>(static_cast<long>(run.count) * (t + 1) / tiles);
        Pick<tile_rows(V), V>::multiply(next - first, o, run, first);
    }
}

template <int V>
static void outer_rows(Pairs pairs, int rows, float* out) {
    const int tiles = static_cast<int>(ceil_div(rows, tile_rows(V)));
    const float* source = pairs.source;
    for (int r = 0; pairs.lanes && r < rows; ++r, pairs.source += pairs.width) outer_lanes_row<V>(pairs, out + r * pairs.width);
    for (int t = 0; !pairs.lanes && t < tiles; ++t) {
        const int first = rows * t / tiles, next = rows * (t + 1) / tiles;
        pairs.source = source + first;
        Pick<tile_rows(V), V>::outer(next - first, pairs, out + first * pairs.width);
    }
}

// Whole column blocks: 16, 32, 48 or 64 columns, cut into tiles of kTileVectors where they are wider.
static void multiply(Operands o, const Run& run) {
    const long vectors = o.width / kLanes;
    for (long v = 0; v < vectors; v += kTileVectors, o.kernel += kTileVectors * kLanes,
              o.source += o.lanes ? kTileVectors * kLanes : 0, o.accumulator += kTileVectors * kLanes) {
        const long left = vectors - v;
        if (left >= kTileVectors) multiply_run<kTileVectors>(o, run);
#if defined(__AVX512F__)
        else if (left == 3) multiply_run<3>(o, run);
        else if (left == 2) multiply_run<2>(o, run);
        else multiply_run<1>(o, run);
#endif
    }
}

static void outer(Pairs pairs, int rows, float* out) {
    const long vectors = pairs.width / kLanes;
    for (long v = 0; v < vectors; v += kTileVectors, pairs.gradient += kTileVectors * kLanes,
              pairs.source += pairs.lanes ? kTileVectors * kLanes : 0, out += kTileVectors * kLanes) {
        const long left = vectors - v;
        if (left >= kTileVectors) outer_rows<kTileVectors>(pairs, rows, out);
#if defined(__AVX512F__)
        else if (left == 3) outer_rows<3>(pairs, rows, out);
        else if (left == 2) outer_rows<2>(pairs, rows, out);
        else outer_rows<1>(pairs, rows, out);
#endif
    }
}

// The numbers 0, 1, 2, ... as a table.
static const int* identity(long count) {
    auto* table = reinterpret_cast<int*>(scratch(kTile, count));
    for (int i = 0; i < count; ++i) table[i] = i;
    return table;
}

static const int kFirstTap[] = {0};

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
