// The gradient of kernels taken back to their spectra, gates and factors.
#pragma once
#include "fourier.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Memory of one block of rows, each part [column][L].
struct RowStrips {
    float *upstream, *of_gate, *of_local;
};

// Adds to `sums`, [rank][L], the products of `Count` columns' vectors with their numbers.
template <int Count>
static inline void add_to_rows(const Vector* numbers, const float* columns, long rank, long step, float* sums) {
    for (long r = 0; r < rank; ++r, columns += step) {
        Vector total = load(sums + r * kLanes);
        for (int c = 0; c < Count; ++c) total += numbers[c] * columns[c];
        store(sums + r * kLanes, total);
    }
}

// The gradient of the matrix, in place of the kernel's; those of both products beside it, and their rows' share of it.
static void through_factors(const Factors& f, const float* matrix, const RowStrips& strips, float* row_sums) {
    for (long c = 0; c < f.columns; c += 2) {
        Vector gate[2], local[2], of_gate[2], of_local[2];
        factors_at<2>(f, c, gate, local);
        for (int i = 0; i < 2; ++i) {
            const long at = (c + i) * kLanes;
            const Vector upstream = load(strips.upstream + at), product = upstream * load(matrix + at) * local[i];
            of_gate[i] = product;
            of_local[i] = product * gate[i] * (1.0f - local[i]);
            store(strips.upstream + at, upstream * gate[i] * local[i]);
            store(strips.of_gate + at, of_gate[i]);
            store(strips.of_local + at, of_local[i]);
        }
        add_to_rows<2>(of_gate, f.right + c, f.rank, f.columns, row_sums);
        add_to_rows<2>(of_local, f.context + c, f.local_rank, f.columns, row_sums + f.rank * kLanes);
    }
}

// Adds to `sums`, [rank][columns], what the rows of one block give: their own vectors, [rank][L], times their numbers.
static void add_to_columns(const float* numbers, const float* rows, long rank, long columns, float* sums) {
    long c = 0;
    for (; kTransposes && rank && c + kLanes <= columns; c += kLanes) {
        Vector square[kLanes];
        for (int i = 0; i < kLanes; ++i) square[i] = load(numbers + (c + i) * kLanes);
        transpose(square);
        for (long r = 0; r < rank; ++r) {
            Vector total = load(sums + r * columns + c);
            for (int i = 0; i < kLanes; ++i) total += square[i] * rows[r * kLanes + i];
            store(sums + r * columns + c, total);
        }
    }
    for (; c < columns; ++c)
        for (long r = 0; r < rank; ++r) {
            float total = 0;
            for (int i = 0; i < kLanes; ++i) total += rows[r * kLanes + i] * numbers[c * kLanes + i];
            sums[r * columns + c] += total;
        }
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

// [rank][L] of one block of rows into [row][rank].
static void scatter_rows(const float* from, long rank, long first, long rows, float* to) {
    for (long r = 0; r < rank; ++r)
        for (long i = 0; i < rows; ++i) to[(first + i) * rank + r] = from[r * kLanes + i];
}

// One item: a band of row blocks of one sample. Gradients of the factors, and the transform along the columns.
static void row_gradient_item(void* context, long index) {
    const SpectrumPass& p = *static_cast<const SpectrumPass*>(context);
    const SpectrumProblem& s = p.problem;
    const long band = index % p.bands(), sample = index / p.bands(), columns = s.columns();
    const long ranks = s.rank + s.local_rank, strip = columns * kLanes;
    float* upstream = scratch(kSource, strip);
    float* waves = scratch(kAccumulator, (p.wave_tiles() + 1) * kLanes * kPoint + strip);
    float* strips = scratch(kBank, 2 * strip);
    float* lanes = scratch(kSmall, 2 * ranks * kLanes);
    float* column_sums = p.column_parts + (sample * p.bands() + band) * ranks * columns;
    clear(column_sums, ranks * columns);
    const long end = least(p.row_blocks(), (band + 1) * p.band_blocks);
    for (long block = band * p.band_blocks; block < end; ++block) {
        const long first = block * kLanes, rows = least(kLanes, s.rows() - first);
        const RowStrips all{upstream, strips, strips + strip};
        read_gradient(p, sample, block, waves, upstream);
        if (ranks) {
            float* row_sums = lanes + ranks * kLanes;
            const Factors f = factors_of(p, sample, block, lanes);
            clear(row_sums, ranks * kLanes);
            through_factors(f, p.matrix + sample * p.matrix_floats() + block * strip, all, row_sums);
            add_to_columns(all.of_gate, f.left, s.rank, columns, column_sums);
            add_to_columns(all.of_local, f.vectors, s.local_rank, columns, column_sums + s.rank * columns);
            scatter_rows(row_sums, s.rank, first, rows, p.left_gradient + sample * s.rows() * s.rank);
            scatter_rows(row_sums + s.rank * kLanes, s.local_rank, first, rows,
                         p.vector_parts + sample * s.rows() * s.local_rank);
        }
        float* pairs = waves + p.wave_tiles() * kLanes * kPoint;
        transform(p.by_column, upstream, pairs, scratch(kTile, room_of(p.by_column)));
        split_waves(pairs, columns / 2, p.real_roots, waves);
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
