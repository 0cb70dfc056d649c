// Kernels from their spectra: waves under their gates go through the inverse transforms and under their factors.
#pragma once
#include "exponential.h"
#include "parallel.h"
#include "transform.h"
#include "transpose.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// The square whose rows start at from[0 ... L-1], turned over: row i of it goes to column i of `to`.
static inline void turn(const float* const* from, float* to, long step) {
    if constexpr (kTransposes) {
        Vector square[kLanes];
        for (int i = 0; i < kLanes; ++i) square[i] = load(from[i]);
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(to + i * step, square[i]);
    } else {
        for (int i = 0; i < kLanes; ++i)
            for (int j = 0; j < kLanes; ++j) to[j * step + i] = from[i][j];
    }
}

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

static inline Vector of_lanes(const float* table, const uint16_t* index) {
    Vector v;
    for (int i = 0; i < kLanes; ++i) v[i] = table[index[i]];
    return v;
}

// Inputs that share every load of the rows' vectors.
constexpr int kInputsTogether = 4;

// A factor of low rank on one block of rows: the rows' own vectors are [width][rank][L], zero for rows that do not exist,
// the inputs' [rank][inputs].
struct LowRank {
    const float *rows, *inputs;
    long rank, count;

    const float* row(long tap, long r) const { return rows + (tap * rank + r) * kLanes; }
    const float* input(long r, long i) const { return inputs + r * count + i; }

    // At N inputs from i on.
    template <int N>
    void at(long tap, long i, Vector* found) const {
        for (int n = 0; n < N; ++n) found[n] = Vector{};
        for (long r = 0; r < rank; ++r)
            for (int n = 0; n < N; ++n) found[n] += load(row(tap, r)) * input(r, i)[n];
    }
};

// [row][width][rank] of one block of rows into [width][rank][L].
static void gather_rows(const float* from, long numbers, long first, long rows, float* to) {
    for (long n = 0; n < numbers; ++n)
        for (long i = 0; i < kLanes; ++i) to[n * kLanes + i] = i < rows ? from[(first + i) * numbers + n] : 0.0f;
}

// Both factors of one block of rows.
struct KernelFactors {
    LowRank gates, locals;

    // Floats of the rows' own vectors.
    static long room(const SpectrumProblem& s) { return s.width * (s.rank + s.local_rank) * kLanes; }

    KernelFactors(const SpectrumPass& p, long sample, long row_block, float* to) {
        const SpectrumProblem& s = p.problem;
        const long first = row_block * kLanes, rows = least(kLanes, s.rows() - first);
        const long numbers = s.width * s.rank, local_numbers = s.width * s.local_rank;
        if (numbers) gather_rows(p.left + sample * s.rows() * numbers, numbers, first, rows, to);
        if (local_numbers) gather_rows(p.vectors, local_numbers, first, rows, to + numbers * kLanes);
        gates = {to, p.right + sample * s.rank * s.inputs, s.rank, s.inputs};
        locals = {to + numbers * kLanes, p.context + sample * s.local_rank * s.inputs, s.local_rank, s.inputs};
    }

    // At N inputs from i on; one where there is no factor.
    template <int N>
    void at(long tap, long i, Vector* gate, Vector* local) const {
        gates.at<N>(tap, i, gate);
        locals.at<N>(tap, i, local);
        for (int n = 0; n < N; ++n) {
            if (!gates.rank) gate[n] = Vector{} + 1.0f;
            local[n] = locals.rank ? logistic(local[n]) : Vector{} + 1.0f;
        }
    }
};

// One row of the matrix, every `width` numbers of it the taps of an input channel, from and to PyTorch's layout.
template <long Width>
static inline void row_to_taps(const float* row, long inputs, long width, long step, float* to) {
    const long w = Width ? Width : width;
    for (long i = 0; i < inputs; ++i, row += w, to += step)
        __builtin_memcpy(to, row, w * sizeof(float));
}

template <long Width>
static inline void taps_to_row(const float* from, long inputs, long width, long step, float* row) {
    const long w = Width ? Width : width;
    for (long i = 0; i < inputs; ++i, row += w, from += step)
        __builtin_memcpy(row, from, w * sizeof(float));
}

static float* weights_of_row(const SpectrumProblem& s, float* weights, long sample, long row) {
    const long output = sample * s.outputs + row / s.height;
    return weights + (output * s.inputs * s.height + row % s.height) * s.width;
}

// One item: a tile of waves of one sample. Gates, and the inverse transform along the rows.
static void wave_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long tile = index % p.wave_tiles(), sample = index / p.wave_tiles(), rows = s.rows();
    const uint16_t* run = p.run_tiles + tile * rows * kLanes;
    float* in = scratch(kSource, p.row_blocks() * kLanes * kPoint);
    float* out = scratch(kAccumulator, p.row_blocks() * kLanes * kPoint);
    for (long m = 0; m < s.spectra; ++m) {
        const float* gates = p.gates + (sample * s.spectra + m) * s.gates;
        const float* wave = p.tiles + (m * p.wave_tiles() + tile) * p.tile_floats();
        for (long r = 0; r < rows; ++r) {
            const Vector gate = of_lanes(gates, run + r * kLanes);
            Point v = load_point(wave + r * kPoint);
            v = {v.im * gate, v.re * gate};
            if (m) {
                const Point before = load_point(in + r * kPoint);
                v = {v.re + before.re, v.im + before.im};
            }
            store_point(in + r * kPoint, v);
        }
    }
    transform(p.by_row, in, out, scratch(kTile, room_of(p.by_row)));
    clear(out + rows * kPoint, (p.row_blocks() * kLanes - rows) * kPoint);
    float* half = p.half + sample * p.half_floats() + tile * kLanes * kPoint;
    for (long b = 0; b < p.row_blocks(); ++b, half += p.wave_tiles() * kLanes * kPoint)
        for (int part = 0; part < 2; ++part) {
            const float* from[kLanes];
            for (int i = 0; i < kLanes; ++i) from[i] = out + (b * kLanes + i) * kPoint + (1 - part) * kLanes;
            turn(from, half + part * kLanes, kPoint);
        }
}

// The spectrum of pairs of real numbers as one complex signal, from that of the numbers; exchanged, for the inverse.
static void pair_waves(const float* half, long pairs, const float* roots, float* to) {
    const Vector none{};
    const Point first = {load_point(half).re, none}, last = {load_point(half + pairs * kPoint).re, none};
    store_point(to, {first.re - last.re, first.re + last.re});
    for (long j = 1; 2 * j <= pairs; ++j) {
        const Point a = load_point(half + j * kPoint), b = load_point(half + (pairs - j) * kPoint);
        const Point sum = {a.re + b.re, a.im - b.im}, difference = {a.re - b.re, a.im + b.im};
        const float backwards[2] = {roots[2 * j], -roots[2 * j + 1]};
        const Point d = turned(difference, backwards);
        store_point(to + j * kPoint, {sum.im + d.re, sum.re - d.im});
        store_point(to + (pairs - j) * kPoint, {d.re - sum.im, sum.re + d.im});
    }
}

// N inputs' columns under their factors, from pairs that come exchanged; `matrix`, where given, keeps them as they were.
template <int N>
static void multiply_factors(const KernelFactors& f, long width, long i, const float* pairs, float* matrix, float* to) {
    for (long tap = 0; tap < width; ++tap) {
        Vector gate[N], local[N];
        f.at<N>(tap, i, gate, local);
        for (int n = 0; n < N; ++n) {
            const long c = (i + n) * width + tap;
            const Vector number = load(pairs + (c ^ 1) * kLanes);
            if (matrix) store(matrix + c * kLanes, number);
            store(to + c * kLanes, number * gate[n] * local[n]);
        }
    }
}

// One item: a block of rows of one sample. The inverse transform along the columns, and the factors.
static void row_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long block = index % p.row_blocks(), sample = index / p.row_blocks(), columns = s.columns();
    float* in = scratch(kSource, columns * kLanes);
    float* out = scratch(kAccumulator, columns * kLanes);
    const KernelFactors f(p, sample, block, scratch(kSmall, KernelFactors::room(s)));
    pair_waves(p.half + sample * p.half_floats() + block * p.wave_tiles() * kLanes * kPoint, columns / 2,
               p.real_roots, in);
    transform(p.by_column, in, out, scratch(kTile, room_of(p.by_column)));
    float* matrix = p.matrix ? p.matrix + sample * p.matrix_floats() + block * columns * kLanes : nullptr;
    long i = 0;
    for (; i + kInputsTogether <= s.inputs; i += kInputsTogether)
        multiply_factors<kInputsTogether>(f, s.width, i, out, matrix, in);
    for (; i < s.inputs; ++i) multiply_factors<1>(f, s.width, i, out, matrix, in);
    lanes_to_rows(in, columns, out);
    const long first = block * kLanes, rows = least(kLanes, s.rows() - first);
    for (long r = 0; r < rows; ++r) {
        float* to = weights_of_row(s, p.weights, sample, first + r);
        const float* from = out + r * columns;
        if (s.width == 3) row_to_taps<3>(from, s.inputs, 3, s.height * 3, to);
        else if (s.width == 1) row_to_taps<1>(from, s.inputs, 1, s.height, to);
        else row_to_taps<0>(from, s.inputs, s.width, s.height * s.width, to);
    }
}

// One item: all of a small sample, which stays in the cache of its thread.
static void sample_item(void* context, long sample) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    for (long tile = 0; tile < p.wave_tiles(); ++tile) wave_item(context, sample * p.wave_tiles() + tile);
    for (long block = 0; block < p.row_blocks(); ++block) row_item(context, sample * p.row_blocks() + block);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
