// The mixture kernels against plain loops.
#include "numbers.h"

using dynaconv::Problem;

extern "C" {
int64_t dynaconv_packed_floats(const Problem*, int);
void dynaconv_pack(const Problem*, const float*, int, float*);
void dynaconv_forward(const Problem*, const void*, const float*, const float*, const float*, const float*,
                      const float*, void*);
void dynaconv_input_gradient(const Problem*, const void*, const float*, const float*, const float*, const float*,
                             const void*, void*, float*);
void dynaconv_bank_gradient(const Problem*, const void*, const void*, const float*, const float*, const float*,
                            const float*, float*, float*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, y_gradient, bank, coefficients, in_scale, out_scale, bias;
    explicit Tensors(const Problem& p)
        : x(p.samples * p.in_pixels() * p.in_channels, Numbers::kGiven, p.half),
          y_gradient(p.samples * p.out_pixels() * p.out_channels, Numbers::kGiven, p.half),
          bank(p.experts * p.out_channels * p.in_channels / p.groups * p.taps()),
          coefficients(p.samples * p.experts * p.taps()), in_scale(p.samples * p.in_channels),
          out_scale(p.samples * p.out_channels), bias(p.samples * p.out_channels) {}
};

// y, then the gradients of x, in_scale, bank, coefficients and out_scale.
std::vector<Numbers> run(Problem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r{Numbers(t.y_gradient.size(), Numbers::kResult, p.half),
                           Numbers(t.x.size(), Numbers::kResult, p.half)};
    for (const Numbers* like : {&t.in_scale, &t.bank, &t.coefficients, &t.out_scale})
        r.emplace_back(like->size(), Numbers::kResult);
    Numbers packed(dynaconv_packed_floats(&p, 0)), transposed(dynaconv_packed_floats(&p, 1));
    dynaconv_pack(&p, t.bank.floats(), 0, packed.floats());
    dynaconv_pack(&p, t.bank.floats(), 1, transposed.floats());
    const float *bank = p.plain_bank ? t.bank.floats() : packed.floats();
    const float *swapped = p.plain_bank ? t.bank.floats() : transposed.floats();
    float *c = t.coefficients.floats(), *in = t.in_scale.floats(), *out = t.out_scale.floats();
    dynaconv_forward(&p, t.x.data(), bank, c, in, out, t.bias.floats(), r[0].data());
    dynaconv_input_gradient(&p, t.y_gradient.data(), swapped, c, in, out, t.x.data(), r[1].data(),
                            r[2].floats());
    dynaconv_bank_gradient(&p, t.x.data(), t.y_gradient.data(), t.bank.floats(), c, in, out, r[3].floats(),
                           r[4].floats(), r[5].floats());
    if (!packed.guarded() || !transposed.guarded()) r.clear();
    return r;
}

// One output channel of one sample at one pixel: its part of everything.
void add_output(const Problem& p, const Tensors& t, long b, long q, long o, std::vector<Expected>& r) {
    const long in = p.in_channels / p.groups, out = p.out_channels / p.groups, taps = p.taps();
    const long yi = (b * p.out_pixels() + q) * p.out_channels + o, so = b * p.out_channels + o;
    r[0][yi] += t.bias[so];
    for (long tap = 0; tap < taps; ++tap) {
        const long pixel = pixel_under(p, q, tap);
        if (pixel < 0) continue;
        for (long i = 0; i < in; ++i)
            for (long k = 0; k < p.experts; ++k) {
                const long channel = o / out * in + i, si = b * p.in_channels + channel;
                const long xi = (b * p.in_pixels() + pixel) * p.in_channels + channel;
                const long wi = ((k * p.out_channels + o) * in + i) * taps + tap, ci = (b * p.experts + k) * taps + tap;
                const double x = t.x[xi], w = t.bank[wi], c = t.coefficients[ci], g = t.y_gradient[yi];
                const double a = t.in_scale[si], z = t.out_scale[so];
                r[0][yi] += x * w * c * a * z;
                r[1][xi] += g * w * c * a * z;
                r[2][si] += g * w * c * x * z;
                r[3][wi] += g * x * c * a * z;
                r[4][ci] += g * w * x * a * z;
                r[5][so] += g * w * c * a * x;
            }
    }
}

}  // namespace

bool check_mixture(Problem p) {
    Problem plain = p;
    plain.plain_bank = 1;
    return check<Tensors>(p, run, add_output) && check<Tensors>(plain, run, add_output);
}

}  // namespace selfcheck
