// The C interface of receptive fields. Everything is float32; x is (samples, channels, rows, columns), padded already, and
// kernels are (channels, taps, taps + 1), a shift behind the numbers of each. The problem's groups are of channels.
#include <vector>

#include "parallel.h"
#include "select.h"

using namespace dynaconv;

namespace {

FieldPass field_pass(const Problem& p, FieldRule rule, const float* x, const float* kernels, const Factor* factors) {
    FieldPass f{};
    f.p = p;
    f.rule = rule;
    f.x = x;
    f.kernels = kernels;
    if (factors) {
        f.left = factors[0];
        f.right = factors[1];
        f.mark = factors[2];
    }
    return f;
}

// Rows of numbers without the shift, turned over: (channels, taps, taps + 1) to (channels, taps, taps).
std::vector<float> turned_over(const float* kernels, long channels, long taps) {
    std::vector<float> to(channels * taps * taps);
    for (long c = 0; c < channels; ++c)
        for (long t = 0; t < taps; ++t)
            for (long k = 0; k < taps; ++k) to[(c * taps + k) * taps + t] = kernels[(c * taps + t) * (taps + 1) + k];
    return to;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// Weighted features (channels, taps, samples, positions); or squares (channels, taps), added to; or lines, added to the
// gradients of left and right.
void dynaconv_field_forward(const Problem* p, int rule, const float* x, const float* kernels, const Factor* factors,
                            float* result) {
    FieldPass f = field_pass(*p, static_cast<FieldRule>(rule), x, kernels, factors);
    f.result = result;
    parallel_for(p->threads, p->groups, dynaconv::kernels().field_forward, &f);
}

// The greatest of all channels, and their mean or how many are equal to it: (samples, 2, taps, positions).
void dynaconv_field_greatest(const Problem* p, int ties, const float* x, const float* kernels, float* result) {
    FieldPass f = field_pass(*p, kGreatest, x, kernels, nullptr);
    f.ties = ties != 0;
    f.result = result;
    parallel_for(p->threads, f.runs(), dynaconv::kernels().field_greatest, &f);
}

// What reaches x and kernels, added to what is there. Features are made by `kernels`, gradients go back through `back`:
// other ones only for statistics.
void dynaconv_field_backward(const Problem* p, int rule, const float* x, const float* kernels, const float* back,
                             const Factor* factors, const float* flow, float* to_x, float* to_kernels) {
    const std::vector<float> turned = turned_over(back, p->in_channels, p->taps());
    FieldPass f = field_pass(*p, static_cast<FieldRule>(rule), x, kernels, factors);
    f.back = turned.data();
    f.flow = flow;
    f.to_x = to_x;
    f.to_kernels = to_kernels;
    parallel_for(p->threads, p->groups, dynaconv::kernels().field_backward, &f);
}

}  // extern "C"
#pragma GCC visibility pop
