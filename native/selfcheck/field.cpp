// The passes over receptive fields against plain loops.
#include <algorithm>

#include "../field_pass.h"
#include "numbers.h"

using dynaconv::Factor;
using dynaconv::FieldRule;
using dynaconv::Problem;

extern "C" {
void dynaconv_field_forward(const Problem*, int, const float*, const float*, const Factor*, float*);
void dynaconv_field_greatest(const Problem*, int, const float*, const float*, float*);
void dynaconv_field_backward(const Problem*, int, const float*, const float*, const float*, const Factor*, const float*,
                             float*, float*);
}

namespace selfcheck {
namespace {

// Where a factor has dimensions of its own: samples, channels, tap rows, tap columns, rows, columns.
struct Shape {
    bool own[6];
    long size(const Problem& p, int d) const {
        const long all[] = {p.samples, p.in_channels, p.kernel[1], p.kernel[2], p.out_size[1], p.out_size[2]};
        return own[d] ? all[d] : 1;
    }
    long step(const Problem& p, int d) const {
        long step = 1;
        for (int later = d + 1; later < 6; ++later) step *= size(p, later);
        return size(p, d) == 1 ? 0 : step;
    }
    long total(const Problem& p) const {
        long all = 1;
        for (int d = 0; d < 6; ++d) all *= size(p, d);
        return all;
    }
    // Of feature t of channel c at position q of sample b.
    long place(const Problem& p, long b, long c, long t, long q) const {
        const long at[] = {b, c, t / p.kernel[2], t % p.kernel[2], q / p.out_size[2], q % p.out_size[2]};
        long place = 0;
        for (int d = 0; d < 6; ++d) place += at[d] * step(p, d);
        return place;
    }
};

struct Factors {
    Shape left, right;
};

Factors factors_of(FieldRule rule) {
    switch (rule) {
        case dynaconv::kSoftmax: return {{{0, 1, 1, 1, 0, 0}}, {{1, 1, 0, 0, 1, 1}}};
        case dynaconv::kLines: return {{{1, 1, 1, 0, 1, 0}}, {{1, 1, 0, 1, 0, 1}}};
        case dynaconv::kProduct: return {{{1, 1, 0, 0, 0, 0}}, {{1, 0, 1, 1, 1, 1}}};
        default: return {{{1, 0, 1, 1, 1, 1}}, {{1, 0, 1, 1, 1, 1}}};
    }
}

const Shape kPooled{{1, 0, 1, 1, 1, 1}};

struct Tensors {
    Numbers x, kernels, back, flow, left, right;
    Tensors(const Problem& p, FieldRule rule)
        : x(p.samples * p.in_channels * p.in_pixels()), kernels(p.in_channels * p.taps() * (p.taps() + 1)),
          back(kernels.size()), flow(p.in_channels * p.taps() * p.samples * p.out_pixels()),
          left(factors_of(rule).left.total(p)), right(factors_of(rule).right.total(p)) {}
};

long pixel(const Problem& p, long b, long c, long q, long k) {
    return (b * p.in_channels + c) * p.in_pixels() + pixel_under(p, q, k);
}

// A feature before max(0, .).
double feature(const Problem& p, const Tensors& t, long b, long c, long tap, long q) {
    const long row = (c * p.taps() + tap) * (p.taps() + 1);
    double value = t.kernels[row + p.taps()];
    for (long k = 0; k < p.taps(); ++k) value += double(t.kernels[row + k]) * t.x[pixel(p, b, c, q, k)];
    return value;
}

double rectified(const Problem& p, const Tensors& t, long b, long c, long tap, long q) {
    return std::fmax(0.0, feature(p, t, b, c, tap, q));
}

double amount(const Problem& p, const Tensors& t, FieldRule rule, long b, long c, long tap, long q) {
    const Factors shapes = factors_of(rule);
    const auto product = [&](long at) {
        return double(t.left[shapes.left.place(p, b, c, at, q)]) * t.right[shapes.right.place(p, b, c, at, q)];
    };
    if (rule != dynaconv::kSoftmax) return product(tap);
    double total = 0;
    for (long at = 0; at < p.taps(); ++at) total += std::exp(product(at));
    return std::exp(product(tap)) / total;
}

double flow_at(const Problem& p, const Tensors& t, long b, long c, long tap, long q) {
    return t.flow[((c * p.taps() + tap) * p.samples + b) * p.out_pixels() + q];
}

// What reaches the product of the factors.
double to_product(const Problem& p, const Tensors& t, FieldRule rule, long b, long c, long tap, long q) {
    const double own = flow_at(p, t, b, c, tap, q) * rectified(p, t, b, c, tap, q);
    if (rule != dynaconv::kSoftmax) return own;
    double mean = 0;
    for (long at = 0; at < p.taps(); ++at)
        mean += flow_at(p, t, b, c, at, q) * rectified(p, t, b, c, at, q) * amount(p, t, rule, b, c, at, q);
    return amount(p, t, rule, b, c, tap, q) * (own - mean);
}

// The gradient of a feature before max(0, .).
double to_feature(const Problem& p, const Tensors& t, FieldRule rule, long b, long c, long tap, long q) {
    const double value = feature(p, t, b, c, tap, q);
    if (rule == dynaconv::kStatistics) return value;
    if (value <= 0) return 0;
    const Factors shapes = factors_of(rule);
    const double left = t.left[shapes.left.place(p, b, c, tap, q)], right = t.right[shapes.right.place(p, b, c, tap, q)];
    if (rule == dynaconv::kLines) return left + right;
    if (rule != dynaconv::kGreatest) return flow_at(p, t, b, c, tap, q) * amount(p, t, rule, b, c, tap, q);
    for (long other = 0; other < p.in_channels; ++other)
        if (feature(p, t, b, other, tap, q) > value) return right;
    return left + right;
}

Factor factor(const Problem& p, const Shape& shape, Numbers& data, Numbers* gradient) {
    Factor made{data.floats(), gradient ? gradient->floats() : nullptr, {}, 0};
    for (int d = 0; d < 6; ++d) made.strides[d] = shape.step(p, d);
    if (gradient && gradient->size() > shape.total(p)) made.group_step = shape.total(p);
    return made;
}

Numbers zeros(long size) {
    Numbers made(size, Numbers::kResult);
    std::fill_n(made.floats(), size, 0.0f);
    return made;
}

// A gradient as large as a factor, from the channel groups' parts.
Numbers summed(Numbers& parts, long size) {
    Numbers made = zeros(size);
    for (long i = 0; i < parts.size(); ++i) made.floats()[i % size] += parts[i];
    return made;
}

// What the forward pass gives, the gradients of x and kernels, and those of the factors.
std::vector<Numbers> run(FieldRule rule, Problem p, Tensors& t, long threads) {
    p.threads = threads;
    const Factors shapes = factors_of(rule);
    const bool lines = rule == dynaconv::kLines, pools = rule == dynaconv::kGreatest;
    const auto parts = [&](const Shape& s) { return zeros(s.total(p) * (s.own[1] ? 1 : p.groups)); };
    Numbers to_left = parts(shapes.left), to_right = parts(shapes.right);
    Numbers to_x = zeros(t.x.size()), to_kernels = zeros(t.kernels.size()), ties = zeros(2 * kPooled.total(p));
    const long size = pools ? ties.size() : rule == dynaconv::kStatistics ? p.in_channels * p.taps() : t.flow.size();
    Numbers result = zeros(size);
    Numbers greatest = zeros(kPooled.total(p));
    const float *x = t.x.floats(), *kernels = t.kernels.floats();
    Factor given[] = {factor(p, shapes.left, t.left, &to_left), factor(p, shapes.right, t.right, &to_right),
                      factor(p, kPooled, greatest, nullptr)};
    if (pools) {
        dynaconv_field_greatest(&p, 0, x, kernels, result.floats());
        dynaconv_field_greatest(&p, 1, x, kernels, ties.floats());
        const long half = p.taps() * p.out_pixels();
        for (long i = 0; i < greatest.size(); ++i) greatest.floats()[i] = ties[i + i / half * half];
    } else {
        dynaconv_field_forward(&p, rule, x, kernels, given, result.floats());
    }
    const float* back = rule == dynaconv::kStatistics ? t.back.floats() : kernels;
    if (lines) given[0].gradient = given[1].gradient = nullptr;
    dynaconv_field_backward(&p, rule, x, kernels, back, given, t.flow.floats(), to_x.floats(), to_kernels.floats());
    std::vector<Numbers> r{result, to_x, to_kernels};
    if (!to_left.guarded() || !to_right.guarded() || !ties.guarded()) return {};
    r.push_back(summed(to_left, shapes.left.total(p)));
    r.push_back(summed(to_right, shapes.right.total(p)));
    return r;
}

// One feature of one sample at one position: its part of everything.
void add_feature(FieldRule rule, const Problem& p, const Tensors& t, long b, long q, long o, std::vector<Expected>& r) {
    const long c = o / p.taps(), tap = o % p.taps(), row = o * (p.taps() + 1);
    const double value = feature(p, t, b, c, tap, q), positive = std::fmax(0.0, value);
    const double gradient = to_feature(p, t, rule, b, c, tap, q);
    const Factors shapes = factors_of(rule);
    const long left = shapes.left.place(p, b, c, tap, q), right = shapes.right.place(p, b, c, tap, q);
    const Numbers& back = rule == dynaconv::kStatistics ? t.back : t.kernels;
    for (long k = 0; k < p.taps(); ++k) {
        r[1][pixel(p, b, c, q, k)] += gradient * back[row + k];
        r[2][row + k] += gradient * t.x[pixel(p, b, c, q, k)];
    }
    r[2][row + p.taps()] += gradient;
    if (rule == dynaconv::kStatistics) {
        r[0][o] += value * value;
    } else if (rule == dynaconv::kGreatest) {
        const long at = (b * 2 * p.taps() + tap) * p.out_pixels() + q;
        r[0][at] = std::fmax(r[0][at], positive);
        r[0][at + p.taps() * p.out_pixels()] += positive / double(p.in_channels);
    } else if (rule == dynaconv::kLines) {
        r[3][left] += positive;
        r[4][right] += positive;
    } else {
        const double own = to_product(p, t, rule, b, c, tap, q);
        r[0][(o * p.samples + b) * p.out_pixels() + q] += positive * amount(p, t, rule, b, c, tap, q);
        r[3][left] += own * t.right[right];
        r[4][right] += own * t.left[left];
    }
}

// The same geometry without depth and with its padding written out, one kernel for every tap.
Problem on_field(Problem p) {
    p.in_size[0] = p.out_size[0] = p.kernel[0] = p.stride[0] = p.dilation[0] = 1;
    for (int d = 0; d < 3; ++d) {
        p.pad[d] = 0;
        p.in_size[d] = (p.out_size[d] - 1) * p.stride[d] + (p.kernel[d] - 1) * p.dilation[d] + 1 + d / 2;
    }
    p.out_channels = p.in_channels * p.taps();
    p.groups = std::min<int64_t>(p.in_channels, 3);
    return p;
}

template <FieldRule Rule>
bool check_rule(const Problem& p) {
    struct Drawn : Tensors {
        explicit Drawn(const Problem& problem) : Tensors(problem, Rule) {}
    };
    return check<Drawn>(
        p, [](const Problem& q, Drawn& t, long threads) { return run(Rule, q, t, threads); },
        [](const Problem& q, const Drawn& t, long b, long at, long o, std::vector<Expected>& r) {
            add_feature(Rule, q, t, b, at, o, r);
        });
}

}  // namespace

bool check_field(Problem p) {
    p = on_field(p);
    bool good = check_rule<dynaconv::kProduct>(p);
    good = check_rule<dynaconv::kSoftmax>(p) && good;
    good = check_rule<dynaconv::kLines>(p) && good;
    good = check_rule<dynaconv::kGreatest>(p) && good;
    return check_rule<dynaconv::kStatistics>(p) && good;
}

}  // namespace selfcheck
