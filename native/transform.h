// Discrete Fourier transforms of as many signals as a register has lanes. A point is two vectors, its real and its
// imaginary part. The inverse transform, but for its scale, is the same with real and imaginary parts exchanged in what
// goes in and in what comes out.
#pragma once
#include "spectrum.h"
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

struct Point {
    Vector re, im;
};

constexpr long kPoint = 2 * kLanes;  // floats

static inline Point load_point(const float* p) { return {load(p), load(p + kLanes)}; }

static inline void store_point(float* p, Point v) {
    store(p, v.re);
    store(p + kLanes, v.im);
}

static inline Point turned(Point v, const float* root) {
    return {v.re * root[0] - v.im * root[1], v.re * root[1] + v.im * root[0]};
}

// Transforms of Radix points, in place. Odd ones pair the points whose roots are conjugate.
template <int Radix>
static inline void butterfly(Point* a, const float* roots, long step) {
    constexpr int pairs = Radix / 2;
    Point sums[pairs], differences[pairs], total = a[0];
    for (int i = 1; i <= pairs; ++i) {
        const Point one = a[i], other = a[Radix - i];
        sums[i - 1] = {one.re + other.re, one.im + other.im};
        differences[i - 1] = {one.re - other.re, one.im - other.im};
        total = {total.re + sums[i - 1].re, total.im + sums[i - 1].im};
    }
    for (int r = 1; r <= pairs; ++r) {
        Point even = a[0], odd = {Vector{}, Vector{}};
        for (int i = 1; i <= pairs; ++i) {
            const float* root = roots + i * r % Radix * step * 2;
            even = {even.re + root[0] * sums[i - 1].re, even.im + root[0] * sums[i - 1].im};
            odd = {odd.re - root[1] * differences[i - 1].im, odd.im + root[1] * differences[i - 1].re};
        }
        a[r] = {even.re + odd.re, even.im + odd.im};
        a[Radix - r] = {even.re - odd.re, even.im - odd.im};
    }
    a[0] = total;
}

template <>
inline void butterfly<2>(Point* a, const float*, long) {
    const Point one = a[0], other = a[1];
    a[0] = {one.re + other.re, one.im + other.im};
    a[1] = {one.re - other.re, one.im - other.im};
}

template <>
inline void butterfly<4>(Point* a, const float*, long) {
    const Point s = {a[0].re + a[2].re, a[0].im + a[2].im}, d = {a[0].re - a[2].re, a[0].im - a[2].im};
    const Point t = {a[1].re + a[3].re, a[1].im + a[3].im}, e = {a[1].re - a[3].re, a[1].im - a[3].im};
    a[0] = {s.re + t.re, s.im + t.im};
    a[1] = {d.re + e.im, d.im - e.re};
    a[2] = {s.re - t.re, s.im - t.im};
    a[3] = {d.re - e.im, d.im + e.re};
}

// Points that lie `step` floats apart and are to be turned by twiddles, where there are any.
struct Signal {
    const float* from;
    long step;
    const float* twiddles;
};

// One of the stages of a part: `done` is the product of the radices before. Points come from x and go to y, in Stockham's
// order: no reversal is needed at the end.
template <int Radix, bool Twiddled>
static void stage(const Transform::Part& part, long done, Signal x, float* y, long step) {
    // Copies: stores of registers could change what references lead to.
    const long unit = part.points / Radix, left = unit / done;
    const float* const roots = part.roots;
    for (long q = 0; q < left; ++q)
        for (long k = 0; k < done; ++k) {
            const long first = k + done * q;
            Point a[Radix];
            for (int i = 0; i < Radix; ++i) {
                a[i] = load_point(x.from + (first + unit * i) * x.step);
                if (Twiddled) a[i] = turned(a[i], x.twiddles + 2 * (first + unit * i));
            }
            butterfly<Radix>(a, roots, unit);
            float* to = y + (k + done * Radix * q) * step;
            store_point(to, a[0]);
            for (int r = 1; r < Radix; ++r)
                store_point(to + done * r * step, q ? turned(a[r], roots + q * r * done * 2) : a[r]);
        }
}

template <bool Twiddled>
static void stage_of(int radix, const Transform::Part& part, long done, const Signal& x, float* y, long step) {
    switch (radix) {
        case 2: return stage<2, Twiddled>(part, done, x, y, step);
        case 3: return stage<3, Twiddled>(part, done, x, y, step);
        case 4: return stage<4, Twiddled>(part, done, x, y, step);
        case 5: return stage<5, Twiddled>(part, done, x, y, step);
        case 7: return stage<7, Twiddled>(part, done, x, y, step);
        case 11: return stage<11, Twiddled>(part, done, x, y, step);
        default: return stage<13, Twiddled>(part, done, x, y, step);
    }
}

// All stages of a part, from x by way of both halves of `room` to `to`; x may lie there too.
static void transform_part(const Transform::Part& part, Signal x, float* room, float* to, long to_step) {
    float* const rooms[] = {room, room + part.points * kPoint};
    long done = 1;
    for (int s = 0; s < part.stages; ++s) {
        const bool last = s + 1 == part.stages;
        float* const y = last ? to : rooms[s % 2];
        const long step = last ? to_step : kPoint;
        if (x.twiddles)
            stage_of<true>(part.radices[s], part, done, x, y, step);
        else
            stage_of<false>(part.radices[s], part, done, x, y, step);
        done *= part.radices[s];
        x = {y, kPoint, nullptr};
    }
}

// Between the parts every row of points is one point longer: columns of powers of two would all fall on the same few
// places of the first-level cache.
static long room_of(const Transform& t) {
    return (2 * most(t.first.points, t.second.points) + t.first.points * (t.second.points + 1)) * kPoint;
}

// `room` has room_of(t) floats. The parts are small enough for the first-level cache.
static void transform(const Transform& t, const float* in, float* out, float* room) {
    const long first = t.first.points, second = t.second.points, row = (second + 1) * kPoint;
    float* const between = room + 2 * most(first, second) * kPoint;
    if (second == 1) return store_point(out, load_point(in));
    // Primes, and a part of one point has no stage that would write.
    if (first == 1) return transform_part(t.second, {in, kPoint, nullptr}, room, out, kPoint);
    for (long j = 0; j < second; ++j)
        transform_part(t.first, {in + j * kPoint, second * kPoint, nullptr}, room, between + j * kPoint, row);
    for (long k = 0; k < first; ++k) {
        const float* twiddles = k ? t.twiddles + 2 * k * second : nullptr;
        transform_part(t.second, {between + k * row, kPoint, twiddles}, room, out + k * kPoint, first * kPoint);
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
