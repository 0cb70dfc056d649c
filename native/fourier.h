// Kernels from their spectra: waves under their gates go through the inverse transforms and under their factors.
#pragma once
#include "exponential.h"
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

// Inner product of the lanes' own vectors with `count` columns: numbers[c] += sum over r of lanes[r] x columns[r][c].
template <int Count>
static inline void add_product(const float* lanes, const float* columns, long rank, long step, Vector* numbers) {
    for (long r = 0; r < rank; ++r, lanes += kLanes, columns += step)
        for (int c = 0; c < Count; ++c) numbers[c] += load(lanes) * columns[c];
}

// The factors of one block of rows; the rows' own vectors are [rank][L], zero for rows that do not exist.
struct Factors {
    const float *left, *right, *vectors, *context;
    long rank, local_rank, columns;
};

// Both factors at `Count` columns from column c on; one where there is none.
template <int Count>
static inline void factors_at(const Factors& f, long c, Vector* gate, Vector* local) {
    for (int i = 0; i < Count; ++i) {
        gate[i] = Vector{} + (f.rank ? 0.0f : 1.0f);
        local[i] = Vector{};
    }
    add_product<Count>(f.left, f.right + c, f.rank, f.columns, gate);
    add_product<Count>(f.vectors, f.context + c, f.local_rank, f.columns, local);
    for (int i = 0; i < Count; ++i) local[i] = f.local_rank ? logistic(local[i]) : Vector{} + 1.0f;
}

// [row][rank] of one block of rows into [rank][L].
static void gather_rows(const float* from, long rank, long first, long rows, float* to) {
    for (long r = 0; r < rank; ++r)
        for (long i = 0; i < kLanes; ++i) to[r * kLanes + i] = i < rows ? from[(first + i) * rank + r] : 0.0f;
}

// `to` has (rank + local rank) x L floats.
static Factors factors_of(const SpectrumPass& p, long sample, long row_block, float* to) {
    const SpectrumProblem& s = p.problem;
    const long first = row_block * kLanes, rows = least(kLanes, s.rows() - first), columns = s.columns();
    Factors f{to, p.right, to + s.rank * kLanes, p.context, s.rank, s.local_rank, columns};
    if (s.rank) {
        gather_rows(p.left + sample * s.rows() * s.rank, s.rank, first, rows, to);
        f.right += sample * s.rank * columns;
    }
    if (s.local_rank) {
        gather_rows(p.vectors, s.local_rank, first, rows, to + s.rank * kLanes);
        f.context += sample * s.local_rank * columns;
    }
    return f;
}

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

// One item: a block of rows of one sample. The inverse transform along the columns, and the factors.
static void row_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long block = index % p.row_blocks(), sample = index / p.row_blocks(), columns = s.columns();
    float* in = scratch(kSource, columns * kLanes);
    float* out = scratch(kAccumulator, columns * kLanes);
    float* lanes = scratch(kSmall, (s.rank + s.local_rank) * kLanes);
    const Factors f = factors_of(p, sample, block, lanes);
    pair_waves(p.half + sample * p.half_floats() + block * p.wave_tiles() * kLanes * kPoint, columns / 2,
               p.real_roots, in);
    transform(p.by_column, in, out, scratch(kTile, room_of(p.by_column)));
    float* matrix = p.matrix ? p.matrix + sample * p.matrix_floats() + block * columns * kLanes : nullptr;
    for (long c = 0; c < columns; c += 2) {
        Vector gate[2], local[2];
        factors_at<2>(f, c, gate, local);
        // Exchanged: the first of a pair comes second.
        const Vector pair[2] = {load(out + (c + 1) * kLanes), load(out + c * kLanes)};
        for (int i = 0; i < 2; ++i) {
            if (matrix) store(matrix + (c + i) * kLanes, pair[i]);
            store(in + (c + i) * kLanes, pair[i] * gate[i] * local[i]);
        }
    }
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

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
