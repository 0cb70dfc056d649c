// The gradients of a convolution with kernels made from their spectra: of its map, and by way of the kernels, which are
// made again, of spectra, gates and factors.
#pragma once
#include "low_rank_gradient.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// The waves of real numbers, twice as large, from the transform of their pairs.
static void split_waves(const float* pairs, long count, const float* roots, float* to) {
    const Point zero = load_point(pairs);
    store_point(to, {2.0f * (zero.re + zero.im), Vector{}});
    store_point(to + count * kPoint, {2.0f * (zero.re - zero.im), Vector{}});
    for (long j = 1; 2 * j <= count; ++j) {
        const Point a = load_point(pairs + j * kPoint), b = load_point(pairs + (count - j) * kPoint);
        const Point sum = {a.re + b.re, a.im - b.im}, difference = {a.re - b.re, a.im + b.im};
        const Point d = turned(difference, roots + 2 * j);
        store_point(to + j * kPoint, {sum.re + d.im, sum.im - d.re});
        store_point(to + (count - j) * kPoint, {sum.re - d.im, -sum.im - d.re});
    }
}

// The waves of a block of rows, [wave][2][L], in squares turned over, where its half transformed spectrum was.
static void hand_on_waves(const SpectrumPass& p, long sample, long block, float* waves) {
    const long tiles = p.wave_tiles(), padded = tiles * kLanes;
    clear(waves + p.problem.waves() * kPoint, (padded - p.problem.waves()) * kPoint);
    float* to = p.half + sample * p.half_floats() + block * padded * kPoint;
    for (long t = 0; t < tiles; ++t, to += kLanes * kPoint)
        for (int part = 0; part < 2; ++part) {
            const float* from[kLanes];
            for (int i = 0; i < kLanes; ++i) from[i] = waves + (t * kLanes + i) * kPoint + part * kLanes;
            turn(from, to + part * kLanes, kPoint);
        }
}

// The gradient of the kernel's row k of some outputs: back to what is half transformed.
static void take_back(const SpectrumPass& p, long sample, const OutputPart& part, long k, const float* matrix,
                      const float* gradient, float* input_sums) {
    const SpectrumProblem& s = p.problem;
    const long columns = s.columns(), strip = columns * kLanes, padded = p.wave_tiles() * kLanes * kPoint;
    float* upstream = scratch(kBank, 2 * strip + padded);
    float *pairs = upstream + strip, *waves = pairs + strip;
    for (long v = 0; v < part.width; v += kLanes) {
        const long block = p.block_of(part.first + v, k);
        block_through_factors(p, sample, block, part, matrix + v * columns, gradient + v, upstream, input_sums);
        transform(p.by_column, upstream, pairs, scratch(kTile, room_of(p.by_column)));
        split_waves(pairs, columns / 2, p.real_roots, waves);
        hand_on_waves(p, sample, block, waves);
    }
}

// [input][width] from `first` on into [output][count], count at most a column block; inputs that do not exist become zero.
static void turn_inputs(const float* kernel, const OutputPart& part, long first, long count, float* to) {
    const long whole = least(count, part.inputs - first) / kLanes * kLanes;
    for (long o = 0; o < part.width; o += kLanes)
        for (long i = 0; i < whole; i += kLanes) {
            const float* from[kLanes];
            for (int n = 0; n < kLanes; ++n) from[n] = kernel + (first + i + n) * part.width + o;
            turn(from, to + o * count + i, count);
        }
    for (long o = 0; o < part.width; ++o)
        for (long i = whole; i < count; ++i)
            to[o * count + i] = first + i < part.inputs ? kernel[(first + i) * part.width + o] : 0.0f;
}

// What the kernel's row k of some outputs adds to the gradient of the map: [column block of inputs][pixel][width].
static void add_map_gradient(const SpectrumPass& p, long sample, const OutputPart& part, long k, const float* kernel,
                             float* room, float* to) {
    const SpectrumProblem& s = p.problem;
    for (long b = 0; b < ceil_div(s.inputs, kColumnBlock); ++b) {
        const long width = block_width(s.inputs, b);
        for (long t = 0; t < s.width; ++t)
            turn_inputs(kernel + t * part.tap_size(), part, b * kColumnBlock, width, room + t * part.count * width);
        multiply_taps(p.backward, {0, part.first, part.count, b * kColumnBlock, width}, sample, k * s.width, s.width,
                      room, to + b * kColumnBlock * p.backward.destination_pixels);
    }
}

// The gradient of the kernel's row k of some outputs, [tap][input][width].
static void kernel_gradient(const SpectrumPass& p, long sample, const OutputPart& part, long k, float* to) {
    const SpectrumProblem& s = p.problem;
    const Convolution &x = p.forward, &y = p.backward;
    float* source = scratch(kSource, (x.largest_source + 1) * s.inputs + x.largest_destination * part.width);
    float* gradient = source + (x.largest_source + 1) * s.inputs;
    clear(to, s.width * part.tap_size());
    for (long b = 0; b < x.block_count; ++b) {
        const BlockTable& block = x.blocks[b];
        pack_source(x, block, sample, {0, 0, s.inputs, part.first, part.width}, source);
        const float* from = static_cast<const float*>(y.source.data) +
                            (sample * y.source_pixels + block.first_destination) * s.outputs + part.first;
        pack_columns(from, s.outputs, block.destination_count, part.count, part.width, gradient);
        for (long t = 0; t < s.width; ++t) {
            const TapGroup& taps = block.groups[k * s.width + t];
            for (int r = 0; r < taps.run_count; ++r) {
                const Run& run = taps.runs[r];
                outer({source, gradient, s.inputs, part.width, run.source, run.destination, run.count, false, true},
                      static_cast<int>(s.inputs), to + t * part.tap_size());
            }
        }
    }
}

// One item: a band of column blocks of one sample. All gradients but those of spectra and gates, for which the waves of
// the kernels' gradient are left.
static void spectrum_back_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long band = index % p.bands, sample = index / p.bands;
    const long sums = (s.rank + s.local_rank) * s.inputs, pixels = p.backward.destination_pixels;
    const long most_kernel = s.width * s.inputs * least(kColumnBlock, padded_columns(s.outputs));
    float* kernel = scratch(kKernel, 2 * most_kernel + s.width * kColumnBlock * kColumnBlock);
    float *matrix = kernel + most_kernel, *turned_over = matrix + most_kernel;
    float* map = scratch(kAccumulator, pixels * padded_columns(s.inputs));
    float* input_sums = p.input_parts + (sample * p.bands + band) * sums;
    clear(map, pixels * padded_columns(s.inputs));
    clear(input_sums, sums);
    for (long c = s.column_blocks() * band / p.bands; c < s.column_blocks() * (band + 1) / p.bands; ++c)
        for (long k = 0; k < s.height; ++k) {
            const OutputPart part(s, c);
            make_kernel(p, sample, part, k, matrix, kernel);
            add_map_gradient(p, sample, part, k, kernel, turned_over, map);
            kernel_gradient(p, sample, part, k, kernel);
            take_back(p, sample, part, k, matrix, kernel, input_sums);
        }
    for (long b = 0; b < ceil_div(s.inputs, kColumnBlock); ++b)
        store_columns(p.backward, band * p.samples + sample, b * kColumnBlock,
                      least(kColumnBlock, s.inputs - b * kColumnBlock), map + b * kColumnBlock * pixels,
                      block_width(s.inputs, b));
}

// The sums of one tile's products by gate. Rows take turns, and so do both gates of a row, so that equal gates side by
// side need not wait for each other.
struct GateSums {
    static constexpr int kTurns = 4;
    float* sums;  // [turn][gate][L]
    long gates;

    static long room(long gates) { return kTurns * gates * kLanes; }
    float* at(long turn, long gate) const { return sums + (turn * gates + gate) * kLanes; }

    void add(const RowOfGates& row, long number, Vector product) const {
        const long turn = number % 2 * 2;
        if (row.two()) {
            const Bits is_high = row.is_high();
            float *to_high = at(turn, row.high()), *to_low = at(turn + 1, row.low());
            store(to_high, load(to_high) + (is_high ? product : Vector{}));
            store(to_low, load(to_low) + (is_high ? Vector{} : product));
        } else {
            for (int i = 0; i < kLanes; ++i) at(turn, row.lanes()[i])[i] += product[i];
        }
    }

    // Lanes are waves from `first` on: the first and the middle one stand for one, others for two, and come twice as large.
    void total(long first, long columns, float* to) const {
        Vector weight = Vector{} + 1.0f;
        for (int i = 0; i < kLanes; ++i)
            if (first + i == 0 || 2 * (first + i) == columns) weight[i] = 0.5f;
        for (long g = 0; g < gates; ++g) {
            Vector all{};
            for (int turn = 0; turn < kTurns; ++turn) all += load(at(turn, g));
            to[g] = sum(all * weight);
        }
    }
};

// One item: a tile of waves of all samples. The transform along the rows, shared out to spectra and gates.
static void wave_gradient_item(void* context, long tile) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long rows = s.rows(), step = p.wave_tiles() * kLanes * kPoint;
    float* in = scratch(kSource, s.padded_rows() * kPoint);
    float* out = scratch(kAccumulator, s.padded_rows() * kPoint);
    const GateSums sums{scratch(kSmall, GateSums::room(s.gates)), s.gates};
    for (long sample = 0; sample < p.samples; ++sample) {
        const float* half = p.half + sample * p.half_floats() + tile * kLanes * kPoint;
        for (long b = 0; b < p.row_blocks(); ++b)
            for (long i = 0; i < kLanes; ++i) {
                const float* from = half + b * step + i * kPoint;
                prefetch_point(from + step);
                store_point(in + (p.first_row(b) + i * s.height) * kPoint, load_point(from));
            }
        transform(p.by_row, in, out, scratch(kTile, room_of(p.by_row)));
        for (long m = 0; m < s.spectra; ++m) {
            const long at = (m * p.wave_tiles() + tile) * p.tile_floats();
            const float* gates = p.gates + (sample * s.spectra + m) * s.gates;
            clear(sums.sums, GateSums::room(s.gates));
            for (long r = 0; r < rows; ++r) {
                const Point found = load_point(out + r * kPoint), wave = load_point(p.tiles + at + r * kPoint);
                const RowOfGates row = gates_at(p, tile, r);
                const Vector share = row.values(gates);
                float* to = p.tile_gradient + at + r * kPoint;
                prefetch_point(to + kPointsAhead * kPoint);
                prefetch_point(p.tiles + at + (r + kPointsAhead) * kPoint);
                const Point total = load_point(to);
                store_point(to, {total.re + found.re * share, total.im + found.im * share});
                sums.add(row, r, found.re * wave.re + found.im * wave.im);
            }
            sums.total(tile * kLanes, s.columns(),
                       p.gate_parts + ((tile * p.samples + sample) * s.spectra + m) * s.gates);
        }
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
