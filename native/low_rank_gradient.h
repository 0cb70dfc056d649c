// The gradient of kernels taken back through their factors of low rank.
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

// The gradient of N inputs' columns of the matrix, from the kernel's, [tap][input][width]; those of both factors are added
// up.
template <int N>
static void through_factors(const KernelFactors& f, const OutputPart& part, long taps, long i, const float* matrix,
                            const float* gradient, float* upstream, const FactorGradients& to) {
    Vector to_gate[kMostWidth * N], to_local[kMostWidth * N];
    for (long tap = 0; tap < taps; ++tap) {
        Vector gate[N], local[N];
        f.at<N>(tap, i, gate, local);
        for (int n = 0; n < N; ++n) {
            const long at = ((i + n) * taps + tap) * kLanes;
            const Vector given = load(gradient + tap * part.tap_size() + (i + n) * part.width) * local[n];
            const Vector product = given * load(matrix + at);
            store(upstream + at, given * gate[n]);
            to_gate[tap * N + n] = product;
            to_local[tap * N + n] = product * gate[n] * (1.0f - local[n]);
        }
    }
    to.gates.add<N>(to_gate, i);
    to.locals.add<N>(to_local, i);
    const long next = i + N;
    if (next % kLanes && next < part.inputs) return;
    to.gates.flush(next - 1);
    to.locals.flush(next - 1);
}

// [width][rank][L] of one block of rows into [row][width][rank].
static void scatter_rows(const SpectrumPass& p, const float* from, long numbers, long block, float* to) {
    to += p.first_row(block) * numbers;
    const long rows = p.rows_in(block), step = p.problem.height * numbers;
    for (long n = 0; n < numbers; ++n)
        for (long i = 0; i < rows; ++i) to[i * step + n] = from[n * kLanes + i];
}

// One block of rows through its factors, into [column][L]; adds to `input_sums`, [rank + local rank][inputs].
static void block_through_factors(const SpectrumPass& p, long sample, long block, const OutputPart& part,
                                  const float* matrix, const float* gradient, float* upstream, float* input_sums) {
    const SpectrumProblem& s = p.problem;
    const long ranks = s.rank + s.local_rank, numbers = s.width * s.rank, room = KernelFactors::room(s);
    float* memory = scratch(kSmall, 2 * room + ranks * kLanes * kLanes);
    float *row_sums = memory + room, *columns = memory + 2 * room;
    clear(row_sums, room);
    const KernelFactors f(p, sample, block, memory);
    const FactorGradients to{{f.gates, s.width, row_sums, input_sums, columns},
                             {f.locals, s.width, row_sums + numbers * kLanes, input_sums + s.rank * s.inputs,
                              columns + s.rank * kLanes * kLanes}};
    long i = 0;
    for (; i + kInputsTogether <= s.inputs; i += kInputsTogether)
        through_factors<kInputsTogether>(f, part, s.width, i, matrix, gradient, upstream, to);
    for (; i < s.inputs; ++i) through_factors<1>(f, part, s.width, i, matrix, gradient, upstream, to);
    scatter_rows(p, row_sums, numbers, block, p.left_gradient + sample * s.rows() * numbers);
    scatter_rows(p, row_sums + numbers * kLanes, s.width * s.local_rank, block,
                 p.vector_parts + sample * s.rows() * s.width * s.local_rank);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
