// A program that checks the C interface against plain loops, without Python: for sanitizers and for emulated processors.
// Every buffer stands between canaries; results must not depend on the number of threads.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "problem.h"

using dynaconv::Problem;

extern "C" {
const char* dynaconv_isa();
int dynaconv_force_isa(const char* name);
int64_t dynaconv_packed_floats(const Problem*, int);
void dynaconv_pack(const Problem*, const float*, int, float*);
void dynaconv_forward(const Problem*, const float*, const float*, const float*, const float*, const float*,
                      const float*, float*);
void dynaconv_input_gradient(const Problem*, const float*, const float*, const float*, const float*, const float*,
                             const float*, float*, float*);
void dynaconv_bank_gradient(const Problem*, const float*, const float*, const float*, const float*, const float*,
                            const float*, float*, float*, float*);
}

namespace {

constexpr float kCanary = -12345.5f;
constexpr long kGuard = 32;

// Floats between two guards; filled with numbers between -1 and 1, or with NaN where a result is to be written.
class Floats {
  public:
    explicit Floats(long size, bool result = false) : size_(size), all_(size + 2 * kGuard, kCanary) {
        static uint32_t state = 1;
        for (long i = 0; i < size; ++i) {
            state = state * 1664525u + 1013904223u;
            data()[i] = result ? NAN : static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
        }
    }
    float* data() { return all_.data() + kGuard; }
    float operator[](long i) const { return all_[kGuard + i]; }
    long size() const { return size_; }
    bool guarded() const {
        for (long i = 0; i < kGuard; ++i)
            if (all_[i] != kCanary || all_[kGuard + size_ + i] != kCanary) return false;
        return true;
    }

  private:
    long size_;
    std::vector<float> all_;
};

struct Tensors {
    Floats x, bank, coefficients, in_scale, out_scale, bias, y_gradient;
    explicit Tensors(const Problem& p)
        : x(p.samples * p.height * p.width * p.in_channels),
          bank(p.experts * p.out_channels * p.in_channels / p.groups * p.kernel_height * p.kernel_width),
          coefficients(p.samples * p.experts * p.kernel_height * p.kernel_width),
          in_scale(p.samples * p.in_channels), out_scale(p.samples * p.out_channels), bias(p.samples * p.out_channels),
          y_gradient(p.samples * p.out_height * p.out_width * p.out_channels) {}
};

struct Results {
    Floats y, x_gradient, in_scale, bank, coefficients, out_scale;
    explicit Results(const Tensors& t)
        : y(t.y_gradient.size(), true), x_gradient(t.x.size(), true), in_scale(t.in_scale.size(), true),
          bank(t.bank.size(), true), coefficients(t.coefficients.size(), true), out_scale(t.out_scale.size(), true) {}
    std::vector<const Floats*> all() const { return {&y, &x_gradient, &in_scale, &bank, &coefficients, &out_scale}; }
};

Results run(Problem p, Tensors& t, long threads) {
    p.threads = threads;
    Results r(t);
    Floats packed(dynaconv_packed_floats(&p, 0)), transposed(dynaconv_packed_floats(&p, 1));
    dynaconv_pack(&p, t.bank.data(), 0, packed.data());
    dynaconv_pack(&p, t.bank.data(), 1, transposed.data());
    float *x = t.x.data(), *c = t.coefficients.data(), *in = t.in_scale.data(), *out = t.out_scale.data();
    dynaconv_forward(&p, x, packed.data(), c, in, out, t.bias.data(), r.y.data());
    dynaconv_input_gradient(&p, t.y_gradient.data(), transposed.data(), c, in, out, x, r.x_gradient.data(),
                            r.in_scale.data());
    dynaconv_bank_gradient(&p, x, t.y_gradient.data(), packed.data(), c, in, out, r.bank.data(),
                           r.coefficients.data(), r.out_scale.data());
    bool guarded = packed.guarded() && transposed.guarded();
    for (const Floats* f : r.all()) guarded = guarded && f->guarded();
    if (!guarded) std::printf("a canary died\n");
    return r;
}

// The definition, one product at a time, in double.
std::vector<std::vector<double>> define(const Problem& p, const Tensors& t) {
    std::vector<std::vector<double>> r;
    for (long size : {t.y_gradient.size(), t.x.size(), t.in_scale.size(), t.bank.size(), t.coefficients.size(),
                      t.out_scale.size()})
        r.emplace_back(size, 0.0);
    const long in = p.in_channels / p.groups, out = p.out_channels / p.groups, taps = p.kernel_height * p.kernel_width;
    for (long b = 0; b < p.samples; ++b)
        for (long q = 0; q < p.out_height * p.out_width; ++q)
            for (long o = 0; o < p.out_channels; ++o) {
                const long yi = (b * p.out_height * p.out_width + q) * p.out_channels + o, so = b * p.out_channels + o;
                r[0][yi] += t.bias[so];
                for (long tap = 0; tap < taps; ++tap) {
                    const long row = q / p.out_width * p.stride_y - p.pad_top + tap / p.kernel_width * p.dilation_y;
                    const long column = q % p.out_width * p.stride_x - p.pad_left + tap % p.kernel_width * p.dilation_x;
                    if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
                    for (long i = 0; i < in; ++i)
                        for (long k = 0; k < p.experts; ++k) {
                            const long channel = o / out * in + i, si = b * p.in_channels + channel;
                            const long xi = ((b * p.height + row) * p.width + column) * p.in_channels + channel;
                            const long wi = ((k * p.out_channels + o) * in + i) * taps + tap;
                            const long ci = (b * p.experts + k) * taps + tap;
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
    return r;
}

bool check(const Problem& p, const char* isa) {
    Tensors t(p);
    const Results one = run(p, t, 1);
    const auto expected = define(p, t);
    bool good = true;
    for (long threads : {2, 4}) {
        const Results many = run(p, t, threads);
        for (size_t n = 0; n < expected.size(); ++n)
            for (long i = 0; i < one.all()[n]->size(); ++i) good = good && (*one.all()[n])[i] == (*many.all()[n])[i];
    }
    for (size_t n = 0; n < expected.size(); ++n) {
        double largest = 0, difference = 0;
        for (size_t i = 0; i < expected[n].size(); ++i) {
            largest = std::fmax(largest, std::fabs(expected[n][i]));
            const double d = std::fabs(expected[n][i] - (*one.all()[n])[static_cast<long>(i)]);
            difference = d <= difference ? difference : d;  // NaN counts as a difference
        }
        good = good && difference <= 2e-5 * largest;
    }
    if (!good) std::printf("%s is wrong at %ldx%ld channels, groups %ld\n", isa, long(p.in_channels),
                           long(p.out_channels), long(p.groups));
    return good;
}

}  // namespace

int main() {
    // samples experts groups | channels | map | output map | kernel | stride | padding | dilation | threads
    const Problem problems[] = {
        {5, 4, 1, 20, 33, 6, 5, 6, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1},
        {3, 5, 1, 17, 3, 9, 7, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1},
        {2, 1, 1, 8, 70, 4, 4, 4, 4, 1, 1, 1, 1, 0, 0, 1, 1, 1},
        {2, 4, 19, 19, 19, 7, 7, 7, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1},
        {2, 3, 4, 12, 24, 7, 6, 7, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1},
        {1, 2, 1, 6, 5, 23, 25, 23, 25, 3, 3, 1, 1, 2, 2, 2, 2, 1},
        {1, 9, 1, 5, 18, 21, 40, 11, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    };
    bool good = true;
    for (const char* isa : {"avx512", "avx2", "portable", "neon"}) {
        if (!dynaconv_force_isa(isa)) continue;
        bool all = true;
        for (const Problem& p : problems) all = check(p, isa) && all;
        std::printf("%s: %s\n", isa, all ? "equal" : "WRONG");
        good = good && all;
    }
    return good ? 0 : 1;
}
