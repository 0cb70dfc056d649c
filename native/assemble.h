// A sample's kernel, or a part of it: the experts' packed weights weighted by that sample's coefficients.
#pragma once
#include "passes.h"
#include "plain.h"
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

constexpr int kAhead = 256;       // floats that are asked for early
constexpr int kMostTogether = 4;  // samples, and experts, combined in one sweep over the weights

// out[s] (+)= sum over E experts of coefficient[s][e] x weights[e]; each weight is read once for S samples.
template <int S, int E>
static inline void combine(const float* const* weights, const float (*coefficient)[kMostTogether], long floats,
                           bool add, float* const* out) {
    Vector c[S][E];
    for (int s = 0; s < S; ++s)
        for (int e = 0; e < E; ++e) c[s][e] = Vector{} + coefficient[s][e];
    for (long i = 0; i < floats; i += kLanes) {
        Vector w[E];
        for (int e = 0; e < E; ++e) {
            w[e] = load(weights[e] + i);
            __builtin_prefetch(weights[e] + i + kAhead);
        }
        for (int s = 0; s < S; ++s) {
            // From zero, not from a product: of two products the compiler may fuse either, and so round differently.
            Vector v = Vector{};
            for (int e = 0; e < E; ++e) v += c[s][e] * w[e];
            if (add) v += load(out[s] + i);
            store(out[s] + i, v);
        }
    }
}

template <int S>
static void combine_experts(int experts, const float* const* weights, const float (*coefficient)[kMostTogether],
                            long floats, bool add, float* const* out) {
    switch (experts) {
        case 1: return combine<S, 1>(weights, coefficient, floats, add, out);
        case 2: return combine<S, 2>(weights, coefficient, floats, add, out);
        case 3: return combine<S, 3>(weights, coefficient, floats, add, out);
        default: return combine<S, 4>(weights, coefficient, floats, add, out);
    }
}

static void combine_samples(int samples, int experts, const float* const* weights,
                            const float (*coefficient)[kMostTogether], long floats, bool add, float* const* out) {
    switch (samples) {
        case 1: return combine_experts<1>(experts, weights, coefficient, floats, add, out);
        case 2: return combine_experts<2>(experts, weights, coefficient, floats, add, out);
        case 3: return combine_experts<3>(experts, weights, coefficient, floats, add, out);
        default: return combine_experts<4>(experts, weights, coefficient, floats, add, out);
    }
}

// A part of all experts' weights, read from the plain layout into scratch memory: [expert][tap][row][width].
template <class Pass>
static const float* read_experts(const Pass& pass, bool transposed, long group, const PlainBlock& part) {
    const BankShape& shape = pass.bank_shape;
    const long size = shape.taps * part.rows * part.width, whole = shape.taps * shape.rows * shape.columns;
    float* const experts = scratch(kBank, shape.experts * size);
    for (long e = 0; e < shape.experts; ++e)
        read_plain(shape, transposed, pass.bank + (e * shape.groups + group) * whole, part, part.rows, experts + e * size);
    return experts;
}

template <class Pass>
static inline float coefficient(const Pass& pass, long sample, long expert, long tap) {
    return pass.coefficients[(sample * pass.bank_shape.experts + expert) * pass.bank_shape.taps + tap];
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
