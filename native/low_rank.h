// The factors of low rank that every number of a kernel kept as a spectrum has, one block of rows at a time.
#pragma once
#include "exponential.h"
#include "parallel.h"
#include "spectrum.h"

namespace dynaconv {
namespace DYNACONV_ISA {

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
static void gather_rows(const SpectrumPass& p, const float* from, long numbers, long block, float* to) {
    from += p.first_row(block) * numbers;
    const long rows = p.rows_in(block), step = p.problem.height * numbers;
    for (long n = 0; n < numbers; ++n)
        for (long i = 0; i < kLanes; ++i) to[n * kLanes + i] = i < rows ? from[i * step + n] : 0.0f;
}

// Both factors of one block of rows.
struct KernelFactors {
    LowRank gates, locals;

    // Floats of the rows' own vectors.
    static long room(const SpectrumProblem& s) { return s.width * (s.rank + s.local_rank) * kLanes; }

    KernelFactors(const SpectrumPass& p, long sample, long block, float* to) {
        const SpectrumProblem& s = p.problem;
        const long numbers = s.width * s.rank;
        gather_rows(p, p.left + sample * s.rows() * numbers, numbers, block, to);
        gather_rows(p, p.vectors, s.width * s.local_rank, block, to + numbers * kLanes);
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

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
