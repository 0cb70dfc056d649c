// The C interface of kernels that are kept as spectra. Everything is float32. Tiles and what is half transformed have the
// layouts of spectrum.h, which depend on the instruction set: their sizes are asked for.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "parallel.h"
#include "plan.h"
#include "select.h"
#include "spectrum.h"
#include "transforms.h"

using namespace dynaconv;

namespace {

// Numbers of the half transformed spectra of a chunk of samples: they stay in the last cache.
constexpr long kChunkNumbers = 1 << 19;
constexpr long kItems = 8;  // of a chunk, at least, where there are so many column blocks
constexpr Plan::Cut kCut = {1024, 1, 1024};

SpectrumPass pass_of(const SpectrumProblem& p) {
    SpectrumPass pass{};
    pass.problem = p;
    pass.lanes = kernels().lanes;
    return pass;
}

// Independent of the number of threads, and so are all sums.
long chunk_of(const SpectrumProblem& p, long samples) {
    return std::clamp<long>(kChunkNumbers / (p.rows() * p.columns()), 1, std::max(1L, samples));
}

// A pass over all samples, a chunk at a time; what it points to has to live as long.
struct Pass : SpectrumPass {
    std::vector<float> roots;
    std::shared_ptr<const Plan> plans[2];
    long left_samples, chunk;

    Pass(const SpectrumProblem& p, const Problem& conv, const float* tiles, const uint16_t* run_tiles,
         const float* const* factors, float* half)
        : SpectrumPass(pass_of(p)), roots(roots_of(p.columns(), p.columns() / 4 + 1)),
          plans{find_plan(conv, Direction::kForward, kCut), find_plan(conv, Direction::kInputGradient, kCut)},
          left_samples(conv.samples), chunk(chunk_of(p, conv.samples)) {
        by_row = transform_of(p.rows());
        by_column = transform_of(p.columns() / 2);
        real_roots = roots.data();
        this->tiles = tiles;
        this->run_tiles = run_tiles;
        this->half = half;
        gates = factors[0];
        left = factors[1];
        right = factors[2];
        vectors = factors[3];
        context = factors[4];
        samples = std::min(chunk, left_samples);
        bands = std::clamp(kItems / chunk, 1L, p.column_blocks());
        expect_writes(half, chunk * half_floats() * sizeof(float));
        set_maps(forward, conv, Direction::kForward, *plans[0]);
        set_maps(backward, conv, Direction::kInputGradient, *plans[1]);
    }

    // To the next chunk; without samples where there is none.
    void move_on() {
        const SpectrumProblem& p = problem;
        left_samples -= samples;
        gates += samples * p.spectra * p.gates;
        left += samples * p.rows() * p.width * p.rank;
        right += samples * p.rank * p.inputs;
        context += samples * p.local_rank * p.inputs;
        for (Convolution* c : {&forward, &backward}) advance(c->source, c->source_pixels * c->source_channels);
        advance(forward.destination, forward.destination_pixels * forward.destination_channels);
        samples = std::min(samples, left_samples);
    }

    // Where there is such a map.
    void advance(Map& map, long numbers) const {
        if (map.data) map.data = static_cast<float*>(map.data) + samples * numbers;
    }

    void make_waves() { parallel_for(problem.threads, samples * wave_tiles(), kernels().spectrum_waves, this); }
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

    // Gives every frequency of a tile to each(wave, row, lane, its numbers in tiles and in PyTorch's layout).
    template <class Each>
    void each(long tile, Each each) const {
        const SpectrumProblem& p = pass.problem;
        const long lanes = pass.lanes;
        for (long lane = 0; lane < lanes; ++lane)
            for (long row = 0, wave = tile * lanes + lane; row < p.rows(); ++row)
                each(wave, row, lane, (tile * p.rows() + row) * 2 * lanes + lane, 2 * (wave * p.rows() + row));
    }

    static void fill(void* context, long tile) {
        const Tiling& t = *static_cast<const Tiling*>(context);
        const SpectrumProblem& p = t.pass.problem;
        const long lanes = t.pass.lanes, size = 2 * p.waves() * p.rows(), tiled = t.pass.wave_tiles() * t.pass.tile_floats();
        uint16_t* gates = t.run_tiles + tile * t.pass.run_numbers();
        t.each(tile, [&](long wave, long row, long lane, long to, long from) {
            const bool there = wave < p.waves();
            gates[row * GateRow::numbers(lanes) + GateRow::kHead + lane] = there ? static_cast<uint16_t>(t.runs[from / 2]) : 0;
            for (long m = 0; m < p.spectra; ++m)
                for (long part = 0; part < 2; ++part)
                    t.tiles[m * tiled + to + part * lanes] = there ? t.spectrum[m * size + from + part] * t.scale : 0.0f;
        });
        for (long row = 0; row < p.rows(); ++row, gates += GateRow::numbers(lanes)) head_gates(gates, lanes);
    }

    // The head of a GateRow.
    static void head_gates(uint16_t* row, long lanes) {
        const uint16_t *gates = row + GateRow::kHead, *end = gates + lanes;
        const auto [low, high] = std::minmax_element(gates, end);
        const bool two = std::all_of(gates, end, [&](uint16_t gate) { return gate == *low || gate == *high; });
        row[0] = two ? *low : 1;
        row[1] = two ? *high : 0;
    }

    static void gather(void* context, long tile) {
        const Tiling& t = *static_cast<const Tiling*>(context);
        const SpectrumProblem& p = t.pass.problem;
        const long lanes = t.pass.lanes, size = 2 * p.waves() * p.rows(), tiled = t.pass.wave_tiles() * t.pass.tile_floats();
        t.each(tile, [&](long wave, long, long, long from, long to) {
            if (wave >= p.waves()) return;
            // The first and the middle wave stand for one, the others for two, and come twice as large already.
            const float scale = wave == 0 || 2 * wave == p.columns() ? 0.5f * t.scale : t.scale;
            for (long m = 0; m < p.spectra; ++m)
                for (long part = 0; part < 2; ++part)
                    t.to_spectrum[m * size + to + part] = t.from_tiles[m * tiled + from + part * lanes] * scale;
        });
    }
};

float scale_of(const SpectrumProblem& p) { return static_cast<float>(1.0 / (double(p.rows()) * double(p.columns()))); }

std::unique_ptr<float[]> fresh(long floats) { return std::unique_ptr<float[]>(new float[floats]); }

// Adds `count` parts of `size` numbers each, `step` apart, in order.
void add_parts(const float* parts, long count, long size, float* sums, long step = 0) {
    for (long part = 0; part < count; ++part, parts += step ? step : size)
        for (long i = 0; i < size; ++i) sums[i] += parts[i];
}

void sum_parts(const float* parts, long count, long size, float* sums, long step = 0) {
    std::fill_n(sums, size, 0.0f);
    add_parts(parts, count, size, sums, step);
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// Whether there are transforms for a matrix of this size.
int dynaconv_spectrum_runs(const SpectrumProblem* p) {
    const bool small = p->width <= kMostWidth && p->gates <= 1 << 16;
    return small && p->columns() % 2 == 0 && has_small_radices(p->rows()) && has_small_radices(p->columns() / 2);
}

// Floats of the tiles, their gates (16 bits), and floats that are half transformed at a time, of so many samples.
void dynaconv_spectrum_sizes(const SpectrumProblem* p, int64_t samples, int64_t* sizes) {
    const SpectrumPass pass = pass_of(*p);
    const long tiles = pass.wave_tiles();
    const long all[] = {p->spectra * tiles * pass.tile_floats(), tiles * pass.run_numbers(),
                        chunk_of(*p, samples) * pass.half_floats()};
    for (int i = 0; i < 3; ++i) sizes[i] = all[i];
}

// spectrum: spectra x waves x rows x 2; runs: waves x rows.
void dynaconv_spectrum_tiles(const SpectrumProblem* p, const float* spectrum, const int64_t* runs, float* tiles,
                             uint16_t* run_tiles) {
    expect_writes(tiles, p->spectra * pass_of(*p).wave_tiles() * pass_of(*p).tile_floats() * sizeof(float));
    expect_writes(run_tiles, pass_of(*p).wave_tiles() * pass_of(*p).run_numbers() * sizeof(uint16_t));
    Tiling tiling{pass_of(*p), spectrum, runs, nullptr, tiles, nullptr, run_tiles, scale_of(*p)};
    parallel_for(p->threads, tiling.pass.wave_tiles(), Tiling::fill, &tiling);
}

// y = conv(x, kernels made from the spectra). Factors: gates, left, right, vectors, context; null where there are none.
void dynaconv_spectrum_forward(const SpectrumProblem* p, const Problem* conv, const float* tiles,
                               const uint16_t* run_tiles, const float* const* factors, float* half, const float* x,
                               float* y) {
    Pass pass(*p, *conv, tiles, run_tiles, factors, half);
    pass.forward.source = {const_cast<float*>(x), false};
    pass.forward.destination = {y, false};
    expect_writes(y, conv->samples * conv->out_pixels() * conv->out_channels * sizeof(float));
    while (pass.samples) {
        pass.make_waves();
        parallel_for(p->threads, pass.samples * p->column_blocks(), kernels().spectrum_convolve, &pass);
        pass.move_on();
    }
}

// All gradients: adds to the tiles' and to that of the vectors; gives those of x and of gates, left, right and context.
// Gradients are in the factors' order.
void dynaconv_spectrum_backward(const SpectrumProblem* p, const Problem* conv, const float* tiles,
                                const uint16_t* run_tiles, const float* const* factors, float* half, const float* x,
                                const float* y_gradient, float* x_gradient, float* tile_gradient,
                                float* const* gradients) {
    Pass pass(*p, *conv, tiles, run_tiles, factors, half);
    const long tiled = pass.wave_tiles(), most = pass.samples, ranks = p->rank + p->local_rank;
    const long gate_count = p->spectra * p->gates, vector_count = p->rows() * p->width * p->local_rank;
    const long map = conv->in_pixels() * conv->in_channels;
    const auto gate_parts = fresh(tiled * most * gate_count), vector_parts = fresh(most * vector_count);
    const auto input_parts = fresh(most * pass.bands * ranks * p->inputs);
    const auto maps = fresh(pass.bands > 1 ? pass.bands * most * map : 0);
    auto [to_gates, to_left, to_right, to_vectors, to_context] =
        std::array{gradients[0], gradients[1], gradients[2], gradients[3], gradients[4]};
    pass.forward.source = {const_cast<float*>(x), false};
    pass.backward.source = {const_cast<float*>(y_gradient), false};
    pass.tile_gradient = tile_gradient;
    pass.gate_parts = gate_parts.get();
    pass.vector_parts = vector_parts.get();
    pass.input_parts = input_parts.get();
    while (const long samples = pass.samples) {
        pass.left_gradient = to_left;
        pass.backward.destination = {pass.bands > 1 ? maps.get() : x_gradient, false};
        pass.make_waves();
        parallel_for(p->threads, samples * pass.bands, kernels().spectrum_back, &pass);
        parallel_for(p->threads, tiled, kernels().spectrum_wave_gradient, &pass);
        if (pass.bands > 1) sum_parts(maps.get(), pass.bands, samples * map, x_gradient);
        sum_parts(gate_parts.get(), tiled, samples * gate_count, to_gates);
        if (p->local_rank) add_parts(vector_parts.get(), samples, vector_count, to_vectors);
        for (long b = 0; b < samples; ++b)
            for (long r = 0; r < ranks; ++r) {
                float* to = r < p->rank ? to_right + (b * p->rank + r) * p->inputs
                                        : to_context + (b * p->local_rank + r - p->rank) * p->inputs;
                sum_parts(input_parts.get() + (b * pass.bands * ranks + r) * p->inputs, pass.bands, p->inputs, to,
                          ranks * p->inputs);
            }
        x_gradient += samples * map;
        to_gates += samples * gate_count;
        to_left += samples * p->rows() * p->width * p->rank;
        to_right += samples * p->rank * p->inputs;
        to_context += samples * p->local_rank * p->inputs;
        pass.move_on();
    }
}

// The spectrum's gradient from that of the tiles.
void dynaconv_spectrum_untile(const SpectrumProblem* p, const float* tile_gradient, float* spectrum_gradient) {
    Tiling tiling{pass_of(*p), nullptr, nullptr, tile_gradient, nullptr, spectrum_gradient, nullptr, scale_of(*p)};
    parallel_for(p->threads, tiling.pass.wave_tiles(), Tiling::gather, &tiling);
}

}  // extern "C"
#pragma GCC visibility pop
