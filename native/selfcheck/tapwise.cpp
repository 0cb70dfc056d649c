// The kernels for taps weighted per pixel against plain loops.
#include "numbers.h"

using dynaconv::Problem;

extern "C" {
int64_t dynaconv_packed_floats(const Problem*, int);
void dynaconv_pack(const Problem*, const float*, int, float*);
void dynaconv_tapwise_forward(const Problem*, const float*, const float*, const float*, float*);
void dynaconv_tapwise_source_gradient(const Problem*, const float*, const float*, const float*, const float*, float*,
                                      float*);
void dynaconv_tapwise_weight_gradient(const Problem*, const float*, const float*, const float*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, y_gradient, weight, amounts;
    explicit Tensors(const Problem& p)
        : x(p.samples * p.in_pixels() * p.in_channels), y_gradient(p.samples * p.out_pixels() * p.out_channels),
          weight(p.out_channels * p.in_channels / p.groups * p.taps()),
          amounts(p.samples * p.tap_groups * p.taps() * p.out_pixels()) {}
};

// y, then the gradients of x, weight and taps.
std::vector<Numbers> run(Problem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.y_gradient, &t.x, &t.weight, &t.amounts})
        r.emplace_back(like->size(), Numbers::kResult);
    Numbers packed(dynaconv_packed_floats(&p, 0)), transposed(dynaconv_packed_floats(&p, 1));
    dynaconv_pack(&p, t.weight.floats(), 0, packed.floats());
    dynaconv_pack(&p, t.weight.floats(), 1, transposed.floats());
    float *x = t.x.floats(), *g = t.y_gradient.floats(), *amounts = t.amounts.floats();
    dynaconv_tapwise_forward(&p, x, packed.floats(), amounts, r[0].floats());
    dynaconv_tapwise_source_gradient(&p, g, x, transposed.floats(), amounts, r[1].floats(), r[3].floats());
    dynaconv_tapwise_weight_gradient(&p, g, x, amounts, r[2].floats());
    if (!packed.guarded() || !transposed.guarded()) r.clear();
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
            const long channel = o / out * in + i, shared = p.in_channels / p.tap_groups;
            const long xi = (b * p.in_pixels() + pixel) * p.in_channels + channel, wi = (o * in + i) * taps + tap;
            const long ai = ((b * p.tap_groups + channel / shared) * taps + tap) * p.out_pixels() + q;
            const double x = t.x[xi], w = t.weight[wi], a = t.amounts[ai], g = t.y_gradient[yi];
            r[0][yi] += x * w * a;
            r[1][xi] += g * w * a;
            r[2][wi] += g * x * a;
            r[3][ai] += g * x * w;
        }
    }
}

}  // namespace

bool check_tapwise(Problem p) {
    p.experts = 1;
    return check<Tensors>(p, run, add_output);
}

}  // namespace selfcheck
