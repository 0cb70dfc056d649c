// The C interface of kernels that are kept as spectra. Everything is float32. Tiles and what is half transformed have the
// layouts of spectrum.h, which depend on the instruction set: their sizes are asked for.
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "parallel.h"
#include "select.h"
#include "spectrum.h"

using namespace dynaconv;

namespace {

// Points of wide registers that are so far apart lie 4096 bytes apart: measured, transforms of such parts take up to 1.5
// times as long.
constexpr long kBadStep = 32;
constexpr int kRadices[] = {4, 2, 3, 5, 7, 11, 13};
constexpr long kBandBlocks = 8;
constexpr long kSmallSample = 1 << 18;  // floats: half of a second-level cache

// e^(-2 pi i k / n) as pairs, k below count.
std::vector<float> roots_of(long n, long count) {
    std::vector<float> roots(2 * count);
    for (long k = 0; k < count; ++k) {
        const double angle = -2 * M_PI * static_cast<double>(k % n) / static_cast<double>(n);
        roots[2 * k] = static_cast<float>(std::cos(angle));
        roots[2 * k + 1] = static_cast<float>(std::sin(angle));
    }
    return roots;
}

// The transform of n points and all that it points to.
struct Tables {
    std::vector<float> first_roots, second_roots, twiddles;
    Transform transform;

    explicit Tables(long n) {
        long first = 1;
        for (long d = 1; d * d <= n; ++d)
            if (n % d == 0 && d != kBadStep && n / d != kBadStep) first = d;
        const long second = n / first;
        first_roots = roots_of(first, first);
        second_roots = roots_of(second, second);
        const std::vector<float> roots = roots_of(n, n);
        twiddles.resize(2 * n);
        for (long k = 0; k < first; ++k)
            for (long j = 0; j < second; ++j)
                for (long part = 0; part < 2; ++part)
                    twiddles[2 * (k * second + j) + part] = roots[2 * (j * k % n) + part];
        transform = {part_of(first, first_roots), part_of(second, second_roots), twiddles.data()};
    }

    static Transform::Part part_of(long points, const std::vector<float>& roots) {
        Transform::Part part{points, 0, {}, roots.data()};
        for (int radix : kRadices)
            for (; points % radix == 0; points /= radix) part.radices[part.stages++] = radix;
        return part;
    }
};

const Transform& transform_of(long n) {
    static std::mutex lock;
    static std::map<long, std::unique_ptr<Tables>> known;
    const std::lock_guard<std::mutex> guard(lock);
    auto& tables = known[n];
    if (!tables) tables = std::make_unique<Tables>(n);
    return tables->transform;
}

bool has_small_radices(long n) {
    for (int radix : kRadices)
        while (n % radix == 0) n /= radix;
    return n == 1;
}

SpectrumPass pass_of(const SpectrumProblem& p, long samples) {
    SpectrumPass pass{};
    pass.problem = p;
    pass.samples = samples;
    pass.lanes = kernels().lanes;
    pass.band_blocks = kBandBlocks;
    return pass;
}

// A pass with its transforms; `real_roots` has to live as long.
struct Pass : SpectrumPass {
    std::vector<float> roots;

    Pass(const SpectrumProblem& p, long samples, const float* tiles, const uint16_t* run_tiles, const float* const* factors)
        : SpectrumPass(pass_of(p, samples)), roots(roots_of(p.columns(), p.columns() / 4 + 1)) {
        by_row = transform_of(p.rows());
        by_column = transform_of(p.columns() / 2);
        real_roots = roots.data();
        this->tiles = tiles;
        this->run_tiles = run_tiles;
        gates = factors[0];
        left = factors[1];
        right = factors[2];
        vectors = factors[3];
        context = factors[4];
    }
};

// Spectra and gate numbers, or a gradient, between PyTorch's layout and tiles.
struct Tiling {
    SpectrumPass pass;
    const float* spectrum;
    const int64_t* runs;
    const float* from_tiles;
    float *tiles, *to_spectrum;
    uint16_t* run_tiles;
    float scale;

    template <class Each>
    void each(long tile, Each each) const {
        const SpectrumProblem& p = pass.problem;
        const long lanes = pass.lanes;
        for (long lane = 0; lane < lanes; ++lane)
            for (long row = 0; row < p.rows(); ++row) {
                const long wave = tile * lanes + lane;
                each(wave, wave * p.rows() + row, (tile * p.rows() + row) * lanes + lane);
            }
    }

    static void fill(void* context, long tile) {
        const Tiling& t = *static_cast<const Tiling*>(context);
        const SpectrumProblem& p = t.pass.problem;
        const long lanes = t.pass.lanes, size = p.waves() * p.rows(), tiled = t.pass.wave_tiles() * p.rows() * lanes;
        t.each(tile, [&](long wave, long from, long to) {
            const bool there = wave < p.waves();
            t.run_tiles[to] = there ? static_cast<uint16_t>(t.runs[from]) : 0;
            const long at = to / lanes * 2 * lanes + to % lanes;
            for (long m = 0; m < p.spectra; ++m)
                for (long part = 0; part < 2; ++part)
                    t.tiles[2 * m * tiled + at + part * lanes] =
                        there ? t.spectrum[2 * (m * size + from) + part] * t.scale : 0.0f;
        });
    }

    static void gather(void* context, long tile) {
        const Tiling& t = *static_cast<const Tiling*>(context);
        const SpectrumProblem& p = t.pass.problem;
        const long lanes = t.pass.lanes, size = p.waves() * p.rows(), tiled = t.pass.wave_tiles() * p.rows() * lanes;
        t.each(tile, [&](long wave, long to, long from) {
            if (wave >= p.waves()) return;
            // The first and the middle wave stand for one, the others for two, and come twice as large already.
            const float scale = wave == 0 || 2 * wave == p.columns() ? 0.5f * t.scale : t.scale;
            const long at = from / lanes * 2 * lanes + from % lanes;
            for (long m = 0; m < p.spectra; ++m)
                for (long part = 0; part < 2; ++part)
                    t.to_spectrum[2 * (m * size + to) + part] =
                        t.from_tiles[2 * m * tiled + at + part * lanes] * scale;
        });
    }
};

float scale_of(const SpectrumProblem& p) { return static_cast<float>(1.0 / (double(p.rows()) * double(p.columns()))); }

// Adds up `count` parts of `size` numbers each, in order.
void add_parts(const float* parts, long count, long size, float* sums) {
    for (long i = 0; i < size; ++i) {
        float total = sums[i];
        for (long part = 0; part < count; ++part) total += parts[part * size + i];
        sums[i] = total;
    }
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// Whether there are transforms for a matrix of this size.
int dynaconv_spectrum_runs(const SpectrumProblem* p) {
    const bool small = p->width <= kMostWidth && p->gates <= 1 << 16;
    return small && p->columns() % 2 == 0 && has_small_radices(p->rows()) && has_small_radices(p->columns() / 2);
}

// Floats of the tiles, places of gates in theirs (16 bits), and for each sample floats of what is half transformed and of
// the matrix.
void dynaconv_spectrum_sizes(const SpectrumProblem* p, int64_t* sizes) {
    const SpectrumPass pass = pass_of(*p, 1);
    const long tiled = pass.wave_tiles() * pass.tile_floats();
    const long all[] = {p->spectra * tiled, tiled / 2, pass.half_floats(), pass.matrix_floats()};
    for (int i = 0; i < 4; ++i) sizes[i] = all[i];
}

// spectrum: spectra x waves x rows x 2; runs: waves x rows.
void dynaconv_spectrum_tiles(const SpectrumProblem* p, const float* spectrum, const int64_t* runs, float* tiles,
                             uint16_t* run_tiles) {
    expect_writes(tiles, p->spectra * pass_of(*p, 1).wave_tiles() * pass_of(*p, 1).tile_floats() * sizeof(float));
    Tiling tiling{pass_of(*p, 1), spectrum, runs, nullptr, tiles, nullptr, run_tiles, scale_of(*p)};
    parallel_for(p->threads, tiling.pass.wave_tiles(), Tiling::fill, &tiling);
}

// The kernels of `samples` samples, in PyTorch's layout, and, where `matrix` is given, what they are before all factors.
// Factors: gates, left, right, vectors, context; null where there are none.
void dynaconv_spectrum_weights(const SpectrumProblem* p, int64_t samples, const float* tiles, const uint16_t* run_tiles,
                               const float* const* factors, float* half, float* matrix, float* weights) {
    Pass pass(*p, samples, tiles, run_tiles, factors);
    pass.half = half;
    pass.matrix = matrix;
    pass.weights = weights;
    expect_writes(half, samples * pass.half_floats() * sizeof(float));
    expect_writes(weights, samples * p->rows() * p->columns() * sizeof(float));
    if (matrix) expect_writes(matrix, samples * pass.matrix_floats() * sizeof(float));
    if (samples >= 2 * p->threads && pass.half_floats() <= kSmallSample)
        return parallel_for(p->threads, samples, kernels().spectrum_samples, &pass);
    parallel_for(p->threads, samples * pass.wave_tiles(), kernels().spectrum_waves, &pass);
    parallel_for(p->threads, samples * pass.row_blocks(), kernels().spectrum_rows, &pass);
}

// From the kernels' gradient and the matrix that dynaconv_spectrum_weights gave for these samples: adds to the tiles'
// gradient and to that of the vectors; gives those of gates, left, right and context. Gradients are in the factors' order.
void dynaconv_spectrum_gradient(const SpectrumProblem* p, int64_t samples, const float* tiles, const uint16_t* run_tiles,
                                const float* const* factors, const float* matrix, const float* gradient, float* half,
                                float* tile_gradient, float* const* gradients) {
    Pass pass(*p, samples, tiles, run_tiles, factors);
    const long right = p->rank * p->inputs, inputs = right + p->local_rank * p->inputs, tiled = pass.wave_tiles();
    const long gate_count = samples * p->spectra * p->gates, vector_count = p->rows() * p->width * p->local_rank;
    std::unique_ptr<float[]> gate_parts(new float[tiled * gate_count]), vector_parts(new float[samples * vector_count]);
    std::unique_ptr<float[]> input_parts(new float[samples * pass.bands() * inputs]);
    pass.half = half;
    pass.matrix = const_cast<float*>(matrix);
    pass.gradient = gradient;
    pass.tile_gradient = tile_gradient;
    pass.gate_parts = gate_parts.get();
    pass.left_gradient = gradients[1];
    pass.vector_parts = vector_parts.get();
    pass.input_parts = input_parts.get();
    parallel_for(p->threads, samples * pass.bands(), kernels().spectrum_row_gradient, &pass);
    parallel_for(p->threads, tiled, kernels().spectrum_wave_gradient, &pass);
    for (long i = 0; i < gate_count; ++i) gradients[0][i] = 0;
    add_parts(gate_parts.get(), tiled, gate_count, gradients[0]);
    if (p->local_rank) add_parts(vector_parts.get(), samples, vector_count, gradients[3]);
    for (long b = 0; b < samples; ++b)
        for (long i = 0; i < inputs; ++i) {
            const float* parts = input_parts.get() + b * pass.bands() * inputs;
            float total = 0;
            for (long band = 0; band < pass.bands(); ++band) total += parts[band * inputs + i];
            (i < right ? gradients[2][b * right + i] : gradients[4][(b * p->local_rank - p->rank) * p->inputs + i]) = total;
        }
}

// The spectrum's gradient from that of the tiles.
void dynaconv_spectrum_untile(const SpectrumProblem* p, const float* tile_gradient, float* spectrum_gradient) {
    Tiling tiling{pass_of(*p, 1), nullptr, nullptr, tile_gradient, nullptr, spectrum_gradient, nullptr, scale_of(*p)};
    parallel_for(p->threads, tiling.pass.wave_tiles(), Tiling::gather, &tiling);
}

}  // extern "C"
#pragma GCC visibility pop
