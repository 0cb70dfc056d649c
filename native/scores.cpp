// The C interface of convolutions with few outputs that keep the map's size. Everything is float32; x is (samples, channels,
// rows, columns), also channels last, weights (outputs, channels, taps), the output (samples, outputs, rows, columns).
#include <memory>

#include "parallel.h"
#include "select.h"

using namespace dynaconv;

namespace {

// So many items keep all threads busy; their number must not depend on that of the threads.
constexpr long kItems = 16;

ScorePass pass_of(const ScoreProblem& p, const float* x, const float* weights) {
    ScorePass pass{};
    pass.problem = p;
    pass.sample_groups = least(p.samples, kItems);
    pass.parts = least(ceil_div(p.channels, kernels().lanes), ceil_div(kItems, pass.sample_groups));
    pass.x = x;
    pass.weights = weights;
    return pass;
}

// Sums of `count` parts of `size` numbers each, in order.
void add_up(const float* parts, long count, long size, float* sums) {
    for (long i = 0; i < size; ++i) sums[i] = 0;
    for (long part = 0; part < count; ++part)
        for (long i = 0; i < size; ++i) sums[i] += parts[part * size + i];
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void dynaconv_scores_forward(const ScoreProblem* p, const float* x, const float* weights, float* scores) {
    ScorePass pass = pass_of(*p, x, weights);
    const long size = p->outputs * p->pixels();
    const std::unique_ptr<float[]> parts(new float[p->samples * pass.parts * size]);
    pass.scores = parts.get();
    parallel_for(p->threads, pass.items(), kernels().scores, &pass);
    for (long b = 0; b < p->samples; ++b) add_up(parts.get() + b * pass.parts * size, pass.parts, size, scores + b * size);
}

void dynaconv_scores_backward(const ScoreProblem* p, const float* gradient, const float* x, const float* weights,
                              float* to_x, float* to_weights) {
    ScorePass pass = pass_of(*p, x, weights);
    const long size = p->outputs * p->channels * p->taps();
    const std::unique_ptr<float[]> parts(new float[pass.sample_groups * size]);
    expect_writes(to_x, p->samples * p->channels * p->pixels() * sizeof(float));
    pass.gradient = gradient;
    pass.to_x = to_x;
    pass.to_weights = parts.get();
    parallel_for(p->threads, pass.items(), kernels().score_gradient, &pass);
    add_up(parts.get(), pass.sample_groups, size, to_weights);
}

}  // extern "C"
#pragma GCC visibility pop
