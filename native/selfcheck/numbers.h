// Numbers between canaries, and how results are compared.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "../bands_pass.h"
#include "../problem.h"
#include "../scores_pass.h"
#include "../spectrum.h"
#include "../storage.h"

namespace selfcheck {

// Floats or bfloat16 between two guards; filled with numbers between -1 and 1, or with NaN where a result is due.
class Numbers {
  public:
    enum Kind { kGiven, kResult };

    explicit Numbers(long size, Kind kind = kGiven, bool half = false)
        : size_(size), half_(half), bytes_(kGuard + size * width() + kGuard, kCanary) {
        static uint32_t state = 1;
        for (long i = 0; i < size; ++i) {
            state = state * 1664525u + 1013904223u;
            set(i, kind == kResult ? NAN : static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
        }
    }

    long size() const { return size_; }
    void* data() { return bytes_.data() + kGuard; }
    float* floats() { return static_cast<float*>(data()); }

    float operator[](long i) const {
        const unsigned char* at = bytes_.data() + kGuard + i * width();
        float value;
        dynaconv::BFloat16 narrow;
        std::memcpy(half_ ? static_cast<void*>(&narrow) : &value, at, width());
        return half_ ? dynaconv::number(narrow) : value;
    }

    bool guarded() const {
        for (long i = 0; i < kGuard; ++i)
            if (bytes_[i] != kCanary || bytes_[bytes_.size() - 1 - i] != kCanary) return false;
        return true;
    }

  private:
    static constexpr long kGuard = 128;  // a whole number of SIMD registers: what follows is aligned as in real life
    static constexpr unsigned char kCanary = 0xc5;

    long width() const { return half_ ? sizeof(dynaconv::BFloat16) : sizeof(float); }
    void set(long i, float value) {
        dynaconv::BFloat16 narrow;
        dynaconv::put(narrow, value);
        std::memcpy(bytes_.data() + kGuard + i * width(), half_ ? static_cast<void*>(&narrow) : &value, width());
    }

    long size_;
    bool half_;
    std::vector<unsigned char> bytes_;
};

using Expected = std::vector<double>;

// The same to the rounding of float32 sums, or of bfloat16 results.
inline bool agree(const Expected& expected, const Numbers& found, bool half) {
    double largest = 0, difference = 0;
    for (long i = 0; i < found.size(); ++i) {
        largest = std::fmax(largest, std::fabs(expected[i]));
        const double d = std::fabs(expected[i] - found[i]);
        difference = d <= difference ? difference : d;  // NaN counts as a difference
    }
    return found.guarded() && difference <= (half ? 8e-3 : 2e-5) * largest;
}

inline bool identical(const Numbers& one, const Numbers& other) {
    for (long i = 0; i < one.size(); ++i)
        if (one[i] != other[i]) return false;
    return true;
}

// The source pixel under a tap at an output pixel; -1 on padding.
inline long pixel_under(const dynaconv::Problem& p, long out_pixel, long tap) {
    long at = 0, step = 1;
    for (int d = 2; d >= 0; --d) {
        const long place = out_pixel % p.out_size[d] * p.stride[d] - p.pad[d] + tap % p.kernel[d] * p.dilation[d];
        if (place < 0 || place >= p.in_size[d]) return -1;
        at += place * step;
        step *= p.in_size[d];
        out_pixel /= p.out_size[d];
        tap /= p.kernel[d];
    }
    return at;
}

// A problem whose kernels are mixed from cells of so many channels; experts counts the cells.
struct CellProblem : dynaconv::Problem {
    int64_t cell_out, cell_in;
};

// Whether a problem's maps are bfloat16; only convolutions' may be.
template <class P>
bool half(const P& p) {
    if constexpr (std::is_base_of_v<dynaconv::Problem, P>) return p.half != 0;
    return false;
}

// Whether the C interface gives what the definition says, with 1, 2 and 4 threads the same.
bool check_mixture(dynaconv::Problem problem);
bool check_dense(dynaconv::Problem problem);
bool check_tapwise(dynaconv::Problem problem);
bool check_cells(CellProblem problem);
bool check_spectrum(const dynaconv::SpectrumProblem& problem);
bool check_field(dynaconv::Problem problem);
bool check_bands(const dynaconv::BandProblem& problem);
bool check_scores(const dynaconv::ScoreProblem& problem);

// The same for one operation: `run` gives its results, none where a canary of its own died; `add` adds what they should be.
template <class Tensors, class P, class Run, class Add>
bool check_all(const P& p, Run run, Add add) {
    Tensors t(p);
    const std::vector<Numbers> found = run(p, t, 1);
    std::vector<Expected> expected;
    for (const Numbers& result : found) expected.emplace_back(result.size(), 0.0);
    bool good = !found.empty();
    if (good) add(t, expected);
    for (size_t n = 0; n < found.size(); ++n) good = agree(expected[n], found[n], half(p)) && good;
    for (long threads : {2, 4}) {
        const std::vector<Numbers> again = run(p, t, threads);
        for (size_t n = 0; n < found.size(); ++n) good = good && !again.empty() && identical(found[n], again[n]);
    }
    return good;
}

// Likewise: `add_output` adds what one output channel of one sample at one pixel contributes to each result.
template <class Tensors, class P, class Run, class AddOutput>
bool check(const P& p, Run run, AddOutput add_output) {
    return check_all<Tensors>(p, run, [&](const Tensors& t, std::vector<Expected>& expected) {
        for (long b = 0; b < p.samples; ++b)
            for (long q = 0; q < p.out_pixels(); ++q)
                for (long o = 0; o < p.out_channels; ++o) add_output(p, t, b, q, o, expected);
    });
}

}  // namespace selfcheck
