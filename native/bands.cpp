// The C interface of images under weights of their frequency bands. Everything is float32; images are (samples, channels,
// rows, columns), also channels last, and weights (samples, groups, edges + 1, rows, columns).
#include <cmath>
#include <memory>
#include <vector>

#include "parallel.h"
#include "select.h"

using namespace dynaconv;

namespace {

// So many items keep all threads busy; their number must not depend on that of the threads.
constexpr long kItems = 16;

// The waves on a line and all that they point to; orthonormal.
struct Line {
    std::vector<float> by_pixel, by_wave;
    Waves waves;

    Line(const BandProblem& p, long size) {
        const auto highest = [&](long edge) { return size / (2 * p.edge[edge]); };
        const long count = 2 * highest(0) + 1;
        by_pixel.resize(size * count);
        by_wave.resize(size * count);
        for (long wave = 0; wave < count; ++wave)
            for (long pixel = 0; pixel < size; ++pixel) {
                const long frequency = (wave + 1) / 2, step = frequency * pixel % size;
                const double angle = 2 * M_PI * static_cast<double>(step) / static_cast<double>(size);
                const double length = std::sqrt((wave ? 2.0 : 1.0) / static_cast<double>(size));
                const double number = length * (wave % 2 || !wave ? std::cos(angle) : std::sin(angle));
                by_pixel[pixel * count + wave] = by_wave[wave * size + pixel] = static_cast<float>(number);
            }
        waves = {size, count, {}, by_pixel.data(), by_wave.data()};
        for (long edge = 0; edge < p.edges; ++edge) waves.below[edge] = 2 * highest(edge) + 1;
    }
};

// A pass with its waves.
struct Pass : BandPass {
    Line down_line, across_line;

    Pass(const BandProblem& p, const float* x, const float* weights, float* result)
        : BandPass{}, down_line(p, p.height), across_line(p, p.width) {
        problem = p;
        down = down_line.waves;
        across = across_line.waves;
        const long blocks = ceil_div(p.group_channels(), kernels().lanes);
        parts = least(blocks, ceil_div(kItems, p.samples * p.groups));
        this->x = x;
        this->weights = weights;
        this->result = result;
        expect_writes(result, p.samples * p.channels * p.pixels() * sizeof(float));
    }
};

// The weights' gradient, [sample and group][map][pixel], from the amounts of all parts.
struct Collection {
    const BandPass& pass;
    float* gradient;

    static void collect(void* context, long place) {
        const auto& [pass, gradient] = *static_cast<const Collection*>(context);
        const long pixels = pass.problem.pixels(), size = pass.maps() * pixels;
        const float* amounts = pass.amounts + place * pass.parts * size;
        float* to = gradient + place * size;
        for (long i = 0; i < size; ++i) {
            to[i] = 0;
            for (long part = 0; part < pass.parts; ++part) to[i] += amounts[part * size + i];
        }
        // A band is the difference of two parts below edges, but for the last.
        for (long i = 0; i < size - pixels; ++i) to[i] -= to[i + pixels];
    }
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void dynaconv_bands_forward(const BandProblem* p, const float* x, const float* weights, float* y) {
    Pass pass(*p, x, weights, y);
    parallel_for(p->threads, pass.items(), kernels().band_forward, static_cast<BandPass*>(&pass));
}

void dynaconv_bands_backward(const BandProblem* p, const float* gradient, const float* x, const float* weights,
                             float* to_x, float* to_weights) {
    Pass pass(*p, x, weights, to_x);
    const std::unique_ptr<float[]> amounts(new float[pass.items() * pass.maps() * p->pixels()]);
    pass.gradient = gradient;
    pass.amounts = amounts.get();
    parallel_for(p->threads, pass.items(), kernels().band_backward, static_cast<BandPass*>(&pass));
    Collection collection{pass, to_weights};
    parallel_for(p->threads, p->samples * p->groups, Collection::collect, &collection);
}

}  // extern "C"
#pragma GCC visibility pop
