// Convolutions with few outputs, and their gradients, tap by tap.
#include "../scores_pass.h"

#include "numbers.h"

using dynaconv::ScoreProblem;

extern "C" {
void dynaconv_scores_forward(const ScoreProblem*, const float*, const float*, float*);
void dynaconv_scores_backward(const ScoreProblem*, const float*, const float*, const float*, float*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, weights, upstream;

    explicit Tensors(const ScoreProblem& p)
        : x(p.samples * p.channels * p.pixels()), weights(p.outputs * p.channels * p.taps()),
          upstream(p.samples * p.outputs * p.pixels()) {}
};

// The output, then the gradients of x and of the weights.
std::vector<Numbers> run(ScoreProblem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.upstream, &t.x, &t.weights}) r.emplace_back(like->size(), Numbers::kResult);
    dynaconv_scores_forward(&p, t.x.floats(), t.weights.floats(), r[0].floats());
    dynaconv_scores_backward(&p, t.upstream.floats(), t.x.floats(), t.weights.floats(), r[1].floats(), r[2].floats());
    return r;
}

// What one tap gives one output at one pixel, of all channels.
void add_tap(const ScoreProblem& p, const Tensors& t, long b, long o, long pixel, long tap, std::vector<Expected>& e) {
    const long row = pixel / p.width + tap / p.kernel - p.kernel / 2, column = pixel % p.width + tap % p.kernel - p.kernel / 2;
    if (row < 0 || row >= p.height || column < 0 || column >= p.width) return;
    const long out = (b * p.outputs + o) * p.pixels() + pixel, place = row * p.width + column;
    for (long c = 0; c < p.channels; ++c) {
        const long in = p.channels_last ? (b * p.pixels() + place) * p.channels + c : (b * p.channels + c) * p.pixels() + place;
        const long weight = (o * p.channels + c) * p.taps() + tap;
        e[0][out] += double(t.x[in]) * t.weights[weight];
        e[1][in] += double(t.upstream[out]) * t.weights[weight];
        e[2][weight] += double(t.upstream[out]) * t.x[in];
    }
}

}  // namespace

bool check_scores(const ScoreProblem& p) {
    return check_all<Tensors>(p, run, [&](const Tensors& t, std::vector<Expected>& expected) {
        for (long b = 0; b < p.samples; ++b)
            for (long o = 0; o < p.outputs; ++o)
                for (long pixel = 0; pixel < p.pixels(); ++pixel)
                    for (long tap = 0; tap < p.taps(); ++tap) add_tap(p, t, b, o, pixel, tap, expected);
    });
}

}  // namespace selfcheck
