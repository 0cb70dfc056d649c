// Images under weights of their frequency bands, and the gradients, against sums over all waves.
#include "../bands_pass.h"

#include "numbers.h"

using dynaconv::BandProblem;

extern "C" {
void dynaconv_bands_forward(const BandProblem*, const float*, const float*, float*);
void dynaconv_bands_backward(const BandProblem*, const float*, const float*, const float*, float*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, weights, upstream;

    explicit Tensors(const BandProblem& p)
        : x(p.samples * p.channels * p.pixels()), weights(p.samples * p.groups * (p.edges + 1) * p.pixels()),
          upstream(x.size()) {}
};

// The output, then the gradients of x and of the weights.
std::vector<Numbers> run(BandProblem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.x, &t.x, &t.weights}) r.emplace_back(like->size(), Numbers::kResult);
    dynaconv_bands_forward(&p, t.x.floats(), t.weights.floats(), r[0].floats());
    dynaconv_bands_backward(&p, t.upstream.floats(), t.x.floats(), t.weights.floats(), r[1].floats(), r[2].floats());
    return r;
}

// What a number of one pixel holds of a number `distance` pixels away, on a line, below an edge.
double shared(long size, long edge, long distance) {
    double total = 1;
    for (long wave = 1; wave <= size / (2 * edge); ++wave)
        total += 2 * std::cos(2 * M_PI * double(wave * distance) / double(size));
    return total / double(size);
}

// The adjoint of one channel's output at one pixel, and its value.
void add_pixel(const BandProblem& p, const Tensors& t, long b, long c, long pixel, std::vector<Expected>& e) {
    const auto at = [&](long q) {
        return p.channels_last ? (b * p.pixels() + q) * p.channels + c : (b * p.channels + c) * p.pixels() + q;
    };
    const long first = (b * p.groups + c / p.group_channels()) * (p.edges + 1) * p.pixels() + pixel;
    const double upstream = t.upstream[at(pixel)];
    for (long map = 0; map <= p.edges; ++map) {
        const long weight = first + map * p.pixels();
        const double step = t.weights[weight] - (map ? double(t.weights[weight - p.pixels()]) : 0.0);
        double part = map ? 0.0 : double(t.x[at(pixel)]);
        if (!map) e[1][at(pixel)] += step * upstream;
        for (long q = 0; map && q < p.pixels(); ++q) {
            const long edge = p.edge[map - 1];
            const double share = shared(p.height, edge, pixel / p.width - q / p.width) *
                                 shared(p.width, edge, pixel % p.width - q % p.width);
            part += share * t.x[at(q)];
            e[1][at(q)] += share * step * upstream;
        }
        e[0][at(pixel)] += step * part;
        e[2][weight] += upstream * part;
        if (map) e[2][weight - p.pixels()] -= upstream * part;
    }
}

}  // namespace

bool check_bands(const BandProblem& p) {
    return check_all<Tensors>(p, run, [&](const Tensors& t, std::vector<Expected>& expected) {
        for (long b = 0; b < p.samples; ++b)
            for (long c = 0; c < p.channels; ++c)
                for (long pixel = 0; pixel < p.pixels(); ++pixel) add_pixel(p, t, b, c, pixel, expected);
    });
}

}  // namespace selfcheck
