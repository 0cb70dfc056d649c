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

// One of the stages of a part: `done` is the product of the radices before. Points come from x and go to y, in Stockham's
// order: no reversal is needed at the end.
template <int Radix>
static void stage(const Transform::Part& part, long done, const float* x, float* y) {
    const long left = part.points / done / Radix;
    for (long q = 0; q < left; ++q)
        for (long k = 0; k < done; ++k) {
            Point a[Radix];
            for (int i = 0; i < Radix; ++i) a[i] = load_point(x + (k + done * (q + left * i)) * kPoint);
            butterfly<Radix>(a, part.roots, part.points / Radix);
            float* to = y + (k + done * Radix * q) * kPoint;
            store_point(to, a[0]);
            for (int r = 1; r < Radix; ++r)
                store_point(to + done * r * kPoint, q ? turned(a[r], part.roots + q * r * done * 2) : a[r]);
        }
}

// All stages of a part, to and fro between x and y, of which the one with the result is returned.
static float* transform_part(const Transform::Part& part, float* x, float* y) {
    long done = 1;
    for (int s = 0; s < part.stages; ++s) {
        switch (part.radices[s]) {
            case 2: stage<2>(part, done, x, y); break;
            case 3: stage<3>(part, done, x, y); break;
            case 4: stage<4>(part, done, x, y); break;
            case 5: stage<5>(part, done, x, y); break;
            case 7: stage<7>(part, done, x, y); break;
            case 11: stage<11>(part, done, x, y); break;
            default: stage<13>(part, done, x, y); break;
        }
        done *= part.radices[s];
        float* const next = x;
        x = y;
        y = next;
    }
    return x;
}

static long room_of(const Transform& t) { return 2 * most(t.first.points, t.second.points) * kPoint; }

// `in` is overwritten; `room` has room_of(t) floats. The parts are small enough for the first-level cache.
static void transform(const Transform& t, float* in, float* out, float* room) {
    const long first = t.first.points, second = t.second.points;
    float* const other = room + room_of(t) / 2;
    for (long j = 0; j < second; ++j) {
        for (long k = 0; k < first; ++k) store_point(room + k * kPoint, load_point(in + (k * second + j) * kPoint));
        const float* found = transform_part(t.first, room, other);
        const float* twiddle = t.twiddles + j * first * 2;
        for (long k = 0; k < first; ++k)
            store_point(in + (k * second + j) * kPoint, turned(load_point(found + k * kPoint), twiddle + 2 * k));
    }
    for (long k = 0; k < first; ++k) {
        const float* found = transform_part(t.second, in + k * second * kPoint, room);
        for (long j = 0; j < second; ++j) store_point(out + (k + first * j) * kPoint, load_point(found + j * kPoint));
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
