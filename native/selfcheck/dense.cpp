// The kernels for weights that the samples bring along against plain loops.
#include "numbers.h"

using dynaconv::Problem;

extern "C" {
void dynaconv_dense_forward(const Problem*, const void*, const float*, void*);
void dynaconv_dense_input_gradient(const Problem*, const void*, const float*, void*);
void dynaconv_dense_weight_gradient(const Problem*, const void*, const void*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, y_gradient, weight;
    explicit Tensors(const Problem& p)
        : x(p.samples * p.in_pixels() * p.in_channels), y_gradient(p.samples * p.out_pixels() * p.out_channels),
          weight(p.samples * p.out_channels * p.in_channels / p.groups * p.taps()) {}
};

// y, then the gradients of x and weight.
std::vector<Numbers> run(Problem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.y_gradient, &t.x, &t.weight}) r.emplace_back(like->size(), Numbers::kResult);
    dynaconv_dense_forward(&p, t.x.data(), t.weight.floats(), r[0].data());
    dynaconv_dense_input_gradient(&p, t.y_gradient.data(), t.weight.floats(), r[1].data());
    dynaconv_dense_weight_gradient(&p, t.x.data(), t.y_gradient.data(), r[2].floats());
    return r;
}

// One output channel of one sample at one pixel: its part of everything.
void add_output(const Problem& p, const Tensors& t, long b, long q, long o, std::vector<Expected>& r) {
    const long in = p.in_channels / p.groups, out = p.out_channels / p.groups, taps = p.taps();
    const long yi = (b * p.out_pixels() + q) * p.out_channels + o;
    for (long tap = 0; tap < taps; ++tap) {
        const long pixel = pixel_under(p, q, tap);
        if (pixel < 0) continue;
        for (long i = 0; i < in; ++i) {
            const long xi = (b * p.in_pixels() + pixel) * p.in_channels + o / out * in + i;
            const long wi = ((b * p.out_channels + o) * in + i) * taps + tap;
            const double x = t.x[xi], w = t.weight[wi], g = t.y_gradient[yi];
            r[0][yi] += x * w;
            r[1][xi] += g * w;
            r[2][wi] += g * x;
        }
    }
}

}  // namespace

bool check_dense(Problem p) {
    p.experts = 1;
    return check<Tensors>(p, run, add_output);
}

}  // namespace selfcheck
