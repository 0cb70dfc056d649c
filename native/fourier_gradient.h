// The gradient of kernels taken back to their spectra, gates and factors.
#pragma once
#include "fourier.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Every vector's sum as one lane of the result; the vectors are used up.
template <int Half = kLanes / 2>
static inline Vector sums_of(Vector* v) {
    if constexpr (!kTransposes) {
        Vector sums;
        for (int i = 0; i < kLanes; ++i) sums[i] = sum(v[i]);
        return sums;
    } else if constexpr (Half == 0) {
        return v[0];
    } else {
        for (int i = 0; i < Half; ++i) {
            exchange<Half>(v[i], v[i + Half], std::make_integer_sequence<int, kLanes>());
            v[i] += v[i + Half];
        }
        return sums_of<Half / 2>(v);
    }
}

// The gradient of one factor, gathered a few inputs at a time.
struct LowRankGradient {
    const LowRank& factor;
    long width;
    float* rows;    // as the factor's, added to
    float* inputs;  // as the factor's, added to
    float* room;    // [rank][L inputs][L]

    // N inputs from i on: gradients are [width][N].
    template <int N>
    void add(const Vector* gradients, long i) const {
        for (long r = 0; r < factor.rank; ++r) {
            const float* numbers = factor.input(r, i);
            Vector columns[N] = {};
            for (long tap = 0; tap < width; ++tap) {
                const Vector row = load(factor.row(tap, r));
                float* const sums = rows + (factor.row(tap, r) - factor.rows);
                Vector total = load(sums);
                for (int n = 0; n < N; ++n) {
                    total += gradients[tap * N + n] * numbers[n];
                    columns[n] += gradients[tap * N + n] * row;
                }
                store(sums, total);
            }
            for (int n = 0; n < N; ++n) store(room + (r * kLanes + (i + n) % kLanes) * kLanes, columns[n]);
        }
    }

    // After the last of L inputs, or of all.
    void flush(long last) const {
        const long first = last / kLanes * kLanes;
        for (long r = 0; r < factor.rank; ++r) {
            Vector columns[kLanes];
            for (int i = 0; i < kLanes; ++i) columns[i] = load(room + (r * kLanes + i) * kLanes);
            const Vector sums = sums_of(columns);
            for (long i = first; i <= last; ++i) inputs[r * factor.count + i] += sums[i - first];
        }
    }
};

// Both factors' gradients.
struct FactorGradients {
    LowRankGradient gates, locals;
};

// The gradient of N inputs' columns of the matrix in place of the kernel's; those of both factors are added up.
template <int N>
static void through_factors(const KernelFactors& f, long width, long i, const float* matrix, float* upstream,
                            const FactorGradients& to) {
    Vector to_gate[kMostWidth * N], to_local[kMostWidth * N];
    for (long tap = 0; tap < width; ++tap) {
        Vector gate[N], local[N];
        f.at<N>(tap, i, gate, local);
        for (int n = 0; n < N; ++n) {
            const long at = ((i + n) * width + tap) * kLanes;
            const Vector given = load(upstream + at), product = given * load(matrix + at) * local[n];
            store(upstream + at, given * gate[n] * local[n]);
            to_gate[tap * N + n] = product;
            to_local[tap * N + n] = product * gate[n] * (1.0f - local[n]);
        }
    }
    to.gates.add<N>(to_gate, i);
    to.locals.add<N>(to_local, i);
    const long next = i + N;
    if (next % kLanes && next < f.gates.count) return;
    to.gates.flush(next - 1);
    to.locals.flush(next - 1);
}

// The waves of real numbers, twice as large, from the transform of their pairs; [wave][2][L] in squares turned over into
// [tile][row][2][L].
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

static void hand_on_waves(const SpectrumPass& p, long sample, long block, float* waves) {
    const long tiles = p.wave_tiles(), padded = tiles * kLanes, first = block * kLanes;
    clear(waves + p.problem.waves() * kPoint, (padded - p.problem.waves()) * kPoint);
    for (long t = 0; t < tiles; ++t) {
        float* to = p.half + sample * p.half_floats() + (t * p.row_blocks() * kLanes + first) * kPoint;
        for (int part = 0; part < 2; ++part) {
            const float* from[kLanes];
            for (int i = 0; i < kLanes; ++i) from[i] = waves + (t * kLanes + i) * kPoint + part * kLanes;
            turn(from, to + part * kLanes, kPoint);
        }
    }
}

// The kernels' gradient of one block of rows as [column][L]; zeros for rows that do not exist.
static void read_gradient(const SpectrumPass& p, long sample, long block, float* rows, float* to) {
    const SpectrumProblem& s = p.problem;
    const long columns = s.columns(), first = block * kLanes, count = least(kLanes, s.rows() - first);
    const float* from[kLanes];
    for (long r = 0; r < kLanes; ++r) {
        float* row = rows + r * columns;
        from[r] = row;
        if (r >= count) {
            clear(row, columns);
            continue;
        }
        const float* weights = weights_of_row(s, const_cast<float*>(p.gradient), sample, first + r);
        if (s.width == 3) taps_to_row<3>(weights, s.inputs, 3, s.height * 3, row);
        else if (s.width == 1) taps_to_row<1>(weights, s.inputs, 1, s.height, row);
        else taps_to_row<0>(weights, s.inputs, s.width, s.height * s.width, row);
    }
    rows_to_lanes(from, columns, to);
}

// [width][rank][L] of one block of rows into [row][width][rank].
static void scatter_rows(const float* from, long numbers, long first, long rows, float* to) {
    for (long n = 0; n < numbers; ++n)
        for (long i = 0; i < rows; ++i) to[(first + i) * numbers + n] = from[n * kLanes + i];
}

// One block of rows through its factors; adds to `input_sums`, [rank + local rank][inputs].
static void block_through_factors(const SpectrumPass& p, long sample, long block, float* upstream, float* input_sums) {
    const SpectrumProblem& s = p.problem;
    const long first = block * kLanes, rows = least(kLanes, s.rows() - first), ranks = s.rank + s.local_rank;
    const long numbers = s.width * s.rank, local_numbers = s.width * s.local_rank, room = KernelFactors::room(s);
    float* memory = scratch(kSmall, 2 * room + ranks * kLanes * kLanes);
    float *row_sums = memory + room, *columns = memory + 2 * room;
    clear(row_sums, room);
    const KernelFactors f(p, sample, block, memory);
    const float* matrix = p.matrix + sample * p.matrix_floats() + block * s.columns() * kLanes;
    const FactorGradients to{{f.gates, s.width, row_sums, input_sums, columns},
                             {f.locals, s.width, row_sums + numbers * kLanes, input_sums + s.rank * s.inputs,
                              columns + s.rank * kLanes * kLanes}};
    long i = 0;
    for (; i + kInputsTogether <= s.inputs; i += kInputsTogether)
        through_factors<kInputsTogether>(f, s.width, i, matrix, upstream, to);
    for (; i < s.inputs; ++i) through_factors<1>(f, s.width, i, matrix, upstream, to);
    scatter_rows(row_sums, numbers, first, rows, p.left_gradient + sample * s.rows() * numbers);
    scatter_rows(row_sums + numbers * kLanes, local_numbers, first, rows,
                 p.vector_parts + sample * s.rows() * local_numbers);
}

// One item: a band of row blocks of one sample. Gradients of the factors, and the transform along the columns.
static void row_gradient_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long band = index % p.bands(), sample = index / p.bands(), columns = s.columns(), strip = columns * kLanes;
    const long sums = (s.rank + s.local_rank) * s.inputs, tiled = p.wave_tiles() * kLanes * kPoint;
    float* upstream = scratch(kSource, strip);
    float* waves = scratch(kAccumulator, tiled + strip);
    float* input_sums = p.input_parts + (sample * p.bands() + band) * sums;
    clear(input_sums, sums);
    const long end = least(p.row_blocks(), (band + 1) * p.band_blocks);
    for (long block = band * p.band_blocks; block < end; ++block) {
        read_gradient(p, sample, block, waves, upstream);
        if (sums) block_through_factors(p, sample, block, upstream, input_sums);
        transform(p.by_column, upstream, waves + tiled, scratch(kTile, room_of(p.by_column)));
        split_waves(waves + tiled, columns / 2, p.real_roots, waves);
        hand_on_waves(p, sample, block, waves);
    }
}

// One item: a tile of waves of all samples. The transform along the rows, shared out to spectra and gates.
static void wave_gradient_item(void* context, long tile) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long rows = s.rows(), size = p.row_blocks() * kLanes * kPoint;
    const uint16_t* run = p.run_tiles + tile * rows * kLanes;
    float* out = scratch(kAccumulator, size);
    float* sums = scratch(kSmall, s.gates * kLanes);
    for (long sample = 0; sample < p.samples; ++sample) {
        transform(p.by_row, p.half + sample * p.half_floats() + tile * size, out, scratch(kTile, room_of(p.by_row)));
        for (long m = 0; m < s.spectra; ++m) {
            const long at = (m * p.wave_tiles() + tile) * p.tile_floats(), gate = (sample * s.spectra + m) * s.gates;
            clear(sums, s.gates * kLanes);
            for (long r = 0; r < rows; ++r) {
                const Point found = load_point(out + r * kPoint), wave = load_point(p.tiles + at + r * kPoint);
                const Vector share = of_lanes(p.gates + gate, run + r * kLanes);
                float* to = p.tile_gradient + at + r * kPoint;
                const Point total = load_point(to);
                store_point(to, {total.re + found.re * share, total.im + found.im * share});
                // Every lane has sums of its own, so that equal gates side by side need not wait for each other.
                const Vector product = found.re * wave.re + found.im * wave.im;
                for (int i = 0; i < kLanes; ++i) sums[run[r * kLanes + i] * kLanes + i] += product[i];
            }
            float* part = p.gate_parts + (tile * p.samples + sample) * s.spectra * s.gates + m * s.gates;
            for (long g = 0; g < s.gates; ++g) {
                float total = 0;
                // Waves but the first and the middle one stand for two; they come twice as large already.
                for (long i = 0; i < kLanes; ++i) {
                    const long wave = tile * kLanes + i;
                    const bool single = wave == 0 || wave == s.columns() / 2;
                    total += sums[g * kLanes + i] * (single ? 0.5f : 1.0f);
                }
                part[g] = total;
            }
        }
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
