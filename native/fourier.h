// Kernels from their spectra, and the convolution with them: waves under their gates go through the inverse transforms,
// and what comes out, under its factors, lies as the convolution's tiles read it.
#pragma once
#include "low_rank.h"
#include "source.h"
#include "tile.h"
#include "transform.h"
#include "transpose.h"

namespace dynaconv {
namespace DYNACONV_ISA {

typedef uint16_t Short __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

// The gates of L frequencies.
struct RowOfGates {
    const uint16_t* numbers;

    long low() const { return numbers[0]; }
    long high() const { return numbers[1]; }
    bool two() const { return low() <= high(); }
    const uint16_t* lanes() const { return numbers + GateRow::kHead; }

    // Of two gates: the lanes that have the higher one.
    Bits is_high() const {
        const Bits all = __builtin_convertvector(*reinterpret_cast<const Short*>(lanes()), Bits);
        return all == Bits{} + static_cast<int>(high());
    }

    Vector values(const float* gates) const {
        if (two()) return is_high() ? Vector{} + gates[high()] : Vector{} + gates[low()];
        Vector v;
        for (int i = 0; i < kLanes; ++i) v[i] = gates[lanes()[i]];
        return v;
    }
};

static inline RowOfGates gates_at(const SpectrumPass& p, long tile, long row) {
    return {p.run_tiles + tile * p.run_numbers() + row * (GateRow::kHead + kLanes)};
}

// Points that are asked for ahead of their use: they come from the last cache, or from memory.
constexpr long kPointsAhead = 16;

static inline void prefetch_point(const float* p) {
    __builtin_prefetch(p);
    __builtin_prefetch(p + kLanes);
}

// The waves of a tile under a sample's gates, real and imaginary parts exchanged for the inverse.
static void gate_waves(const SpectrumPass& p, long sample, long tile, float* to) {
    const SpectrumProblem& s = p.problem;
    for (long m = 0; m < s.spectra; ++m) {
        const float* gates = p.gates + (sample * s.spectra + m) * s.gates;
        const float* wave = p.tiles + (m * p.wave_tiles() + tile) * p.tile_floats();
        for (long r = 0; r < s.rows(); ++r) {
            const Vector gate = gates_at(p, tile, r).values(gates);
            prefetch_point(wave + (r + kPointsAhead) * kPoint);
            const Point v = load_point(wave + r * kPoint);
            const Point before = m ? load_point(to + r * kPoint) : Point{};
            store_point(to + r * kPoint, {v.im * gate + before.re, v.re * gate + before.im});
        }
    }
}

// One item: a tile of waves of one sample. Gates, and the inverse transform along the rows.
static void wave_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long tile = index % p.wave_tiles(), sample = index / p.wave_tiles();
    float* in = scratch(kSource, s.padded_rows() * kPoint);
    float* out = scratch(kAccumulator, s.padded_rows() * kPoint);
    gate_waves(p, sample, tile, in);
    transform(p.by_row, in, out, scratch(kTile, room_of(p.by_row)));
    clear(out + s.rows() * kPoint, (s.padded_rows() - s.rows()) * kPoint);
    float* half = p.half + sample * p.half_floats() + tile * kLanes * kPoint;
    for (long b = 0; b < p.row_blocks(); ++b, half += p.wave_tiles() * kLanes * kPoint)
        for (int part = 0; part < 2; ++part) {
            const float* from[kLanes];
            for (int i = 0; i < kLanes; ++i)
                from[i] = out + (p.first_row(b) + i * s.height) * kPoint + (1 - part) * kLanes;
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

// The outputs of one item, and the weights of theirs that are made at a time: one row of the kernel, [tap][input][width].
struct OutputPart {
    long first, count, width;
    long inputs;

    OutputPart(const SpectrumProblem& s, long column_block)
        : first(column_block * kColumnBlock), count(least(kColumnBlock, s.outputs - first)),
          width(block_width(s.outputs, column_block)), inputs(s.inputs) {}
    long tap_size() const { return inputs * width; }
};

// N inputs' columns under their factors, from pairs that come exchanged; `matrix`, where given, keeps them as they were.
template <int N>
static void multiply_factors(const KernelFactors& f, long taps, long i, const float* pairs, float* matrix,
                             const OutputPart& part, float* to) {
    for (long tap = 0; tap < taps; ++tap) {
        Vector gate[N], local[N];
        f.at<N>(tap, i, gate, local);
        for (int n = 0; n < N; ++n) {
            const long c = (i + n) * taps + tap;
            const Vector number = load(pairs + (c ^ 1) * kLanes);
            if (matrix) store(matrix + c * kLanes, number);
            store(to + tap * part.tap_size() + (i + n) * part.width, number * gate[n] * local[n]);
        }
    }
}

// The kernel's row k of some outputs, in `kernel`; in `matrix`, where given, what its blocks of rows, [column][L], are
// before their factors.
static void make_kernel(const SpectrumPass& p, long sample, const OutputPart& part, long k, float* matrix,
                        float* kernel) {
    const SpectrumProblem& s = p.problem;
    const long columns = s.columns();
    float* in = scratch(kBank, 2 * columns * kLanes);
    float* pairs = in + columns * kLanes;
    for (long v = 0; v < part.width; v += kLanes, kernel += kLanes) {
        const long block = p.block_of(part.first + v, k);
        const float* half = p.half + sample * p.half_floats() + block * p.wave_tiles() * kLanes * kPoint;
        const KernelFactors f(p, sample, block, scratch(kSmall, KernelFactors::room(s)));
        pair_waves(half, columns / 2, p.real_roots, in);
        transform(p.by_column, in, pairs, scratch(kTile, room_of(p.by_column)));
        float* const kept = matrix ? matrix + v * columns : nullptr;
        long i = 0;
        for (; i + kInputsTogether <= s.inputs; i += kInputsTogether)
            multiply_factors<kInputsTogether>(f, s.width, i, pairs, kept, part, kernel);
        for (; i < s.inputs; ++i) multiply_factors<1>(f, s.width, i, pairs, kept, part, kernel);
    }
}

// What some taps in a row, from `first_tap` on, add to every pixel: kernels are [tap][row][width].
static void multiply_taps(const Convolution& c, const SourcePart& part, long sample, long first_tap, long taps,
                          const float* kernel, float* accumulator) {
    float* source = scratch(kSource, (c.largest_source + 1) * part.rows);
    for (long b = 0; b < c.block_count; ++b) {
        const BlockTable& block = c.blocks[b];
        pack_source(c, block, sample, part, source);
        for (long t = 0; t < taps; ++t) {
            const TapGroup& group = block.groups[first_tap + t];
            for (int r = 0; r < group.run_count; ++r)
                multiply({source, kernel + t * part.rows * part.width, part.rows, part.width, 0,
                          accumulator + block.first_destination * part.width, false},
                         group.runs[r]);
        }
    }
}

// Pixels of `width` columns into channels `first` and on of a map; as many as there are.
static void store_columns(const Convolution& c, long sample, long first, long count, const float* columns, long width) {
    float* to = static_cast<float*>(c.destination.data) + sample * c.destination_pixels * c.destination_channels + first;
    for (long pixel = 0; pixel < c.destination_pixels; ++pixel, to += c.destination_channels, columns += width)
        for (long j = 0; j < count; ++j) to[j] = columns[j];
}

// One item: a column block of outputs of one sample.
static void spectrum_convolve_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const OutputPart part(s, index % s.column_blocks());
    const long sample = index / s.column_blocks(), pixels = p.forward.destination_pixels;
    float* kernel = scratch(kKernel, s.width * part.tap_size());
    float* accumulator = scratch(kAccumulator, pixels * part.width);
    clear(accumulator, pixels * part.width);
    for (long k = 0; k < s.height; ++k) {
        make_kernel(p, sample, part, k, nullptr, kernel);
        multiply_taps(p.forward, {0, 0, s.inputs, part.first, part.width}, sample, k * s.width, s.width, kernel,
                      accumulator);
    }
    store_columns(p.forward, sample, part.first, part.count, accumulator, part.width);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
