// Convolutions with kernels made from spectra, and their gradients, against sums over all waves and pixels.
#include "../spectrum.h"

#include <complex>

#include "numbers.h"

using dynaconv::Problem;
using dynaconv::SpectrumProblem;

extern "C" {
int dynaconv_spectrum_runs(const SpectrumProblem*);
void dynaconv_spectrum_sizes(const SpectrumProblem*, int64_t, int64_t*);
void dynaconv_spectrum_tiles(const SpectrumProblem*, const float*, const int64_t*, float*, uint16_t*);
void dynaconv_spectrum_forward(const SpectrumProblem*, const Problem*, const float*, const uint16_t*,
                               const float* const*, float*, const float*, float*);
void dynaconv_spectrum_backward(const SpectrumProblem*, const Problem*, const float*, const uint16_t*,
                                const float* const*, float*, const float*, const float*, float*, float*, float* const*);
void dynaconv_spectrum_untile(const SpectrumProblem*, const float*, float*);
}

namespace selfcheck {
namespace {

constexpr long kSamples = 5;
using Complex = std::complex<double>;

// A small map, with a step of two in one direction.
Problem problem_of(const SpectrumProblem& p) {
    Problem c{};
    c.samples = kSamples;
    c.experts = c.groups = c.tap_groups = 1;
    c.in_channels = p.inputs;
    c.out_channels = p.outputs;
    const long in[] = {1, 5, 4}, kernel[] = {1, p.height, p.width}, stride[] = {1, 2, 1};
    for (int d = 0; d < 3; ++d) {
        c.in_size[d] = in[d];
        c.kernel[d] = kernel[d];
        c.stride[d] = stride[d];
        c.pad[d] = kernel[d] / 2;
        c.dilation[d] = 1;
        c.out_size[d] = (in[d] + 2 * c.pad[d] - kernel[d]) / stride[d] + 1;
    }
    c.threads = p.threads;
    return c;
}

struct Tensors {
    Problem conv;
    Numbers x, upstream, spectrum, gates, left, right, vectors, context;
    std::vector<int64_t> runs;

    explicit Tensors(const SpectrumProblem& p)
        : conv(problem_of(p)), x(kSamples * conv.in_pixels() * p.inputs),
          upstream(kSamples * conv.out_pixels() * p.outputs), spectrum(p.spectra * p.waves() * p.rows() * 2),
          gates(kSamples * p.spectra * p.gates), left(kSamples * p.rows() * p.width * p.rank),
          right(kSamples * p.rank * p.inputs), vectors(p.rows() * p.width * p.local_rank),
          context(kSamples * p.local_rank * p.inputs), runs(p.waves() * p.rows()) {
        // Some rows of waves with one gate or two, others with more.
        for (size_t i = 0; i < runs.size(); ++i)
            runs[i] = static_cast<int64_t>(i % p.rows() % 3 ? i % p.rows() / 2 : i * 7) % p.gates;
    }
};

// y, then the gradients of spectrum, gates, left, right, vectors and context, then that of x.
std::vector<Numbers> run(SpectrumProblem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.upstream, &t.spectrum, &t.gates, &t.left, &t.right, &t.vectors, &t.context, &t.x})
        r.emplace_back(like->size(), Numbers::kResult);
    int64_t sizes[3];
    dynaconv_spectrum_sizes(&p, kSamples, sizes);
    Numbers tiles(sizes[0]), half(sizes[2]), tile_gradient(sizes[0]);
    std::vector<uint16_t> run_tiles(sizes[1]);
    std::memset(tile_gradient.floats(), 0, sizes[0] * sizeof(float));
    std::memset(r[5].floats(), 0, r[5].size() * sizeof(float));
    const float* factors[] = {t.gates.floats(), t.left.floats(), t.right.floats(), t.vectors.floats(), t.context.floats()};
    float* gradients[] = {r[2].floats(), r[3].floats(), r[4].floats(), r[5].floats(), r[6].floats()};
    dynaconv_spectrum_tiles(&p, t.spectrum.floats(), t.runs.data(), tiles.floats(), run_tiles.data());
    dynaconv_spectrum_forward(&p, &t.conv, tiles.floats(), run_tiles.data(), factors, half.floats(), t.x.floats(),
                              r[0].floats());
    dynaconv_spectrum_backward(&p, &t.conv, tiles.floats(), run_tiles.data(), factors, half.floats(), t.x.floats(),
                               t.upstream.floats(), r[7].floats(), tile_gradient.floats(), gradients);
    dynaconv_spectrum_untile(&p, tile_gradient.floats(), r[1].floats());
    for (const Numbers* buffer : {&tiles, &half, &tile_gradient})
        if (!buffer->guarded()) r.clear();
    return r;
}

// What wave (j, row) contributes to number (r, c) of the matrix, for one unit of it.
Complex wave_at(const SpectrumProblem& p, long j, long row, long r, long c) {
    const double scale = (j == 0 || 2 * j == p.columns() ? 1.0 : 2.0) / (double(p.rows()) * double(p.columns()));
    const double turns = double(row * r) / double(p.rows()) + double(j * c) / double(p.columns());
    return std::polar(scale, 2 * M_PI * turns);
}

double gate_of(const SpectrumProblem& p, const Tensors& t, long b, long m, long place) {
    return t.gates[(b * p.spectra + m) * p.gates + t.runs[place]];
}

// What one weight of one sample's kernel adds to y and to the gradient of x; its own gradient.
double convolve(const Tensors& t, long b, long output, long input, long tap, double weight, std::vector<Expected>& e) {
    const Problem& c = t.conv;
    double gradient = 0;
    for (long q = 0; q < c.out_pixels(); ++q) {
        const long pixel = pixel_under(c, q, tap), y = (b * c.out_pixels() + q) * c.out_channels + output;
        if (pixel < 0) continue;
        const long x = (b * c.in_pixels() + pixel) * c.in_channels + input;
        e[0][y] += weight * t.x[x];
        e[7][x] += weight * t.upstream[y];
        gradient += double(t.x[x]) * t.upstream[y];
    }
    return gradient;
}

// One number of one sample's kernel: its part of everything.
void add_number(const SpectrumProblem& p, const Tensors& t, long b, long r, long c, std::vector<Expected>& e) {
    const long input = c / p.width, tap = c % p.width, row_tap = r * p.width + tap, size = p.waves() * p.rows();
    double matrix = 0, gate = p.rank ? 0 : 1, score = 0;
    for (long m = 0; m < p.spectra; ++m)
        for (long place = 0; place < size; ++place) {
            const Complex wave(t.spectrum[2 * (m * size + place)], t.spectrum[2 * (m * size + place) + 1]);
            matrix += (wave * wave_at(p, place / p.rows(), place % p.rows(), r, c)).real() * gate_of(p, t, b, m, place);
        }
    const long left = (b * p.rows() * p.width + row_tap) * p.rank, right = b * p.rank * p.inputs + input;
    const long vector = row_tap * p.local_rank, context = b * p.local_rank * p.inputs + input;
    for (long q = 0; q < p.rank; ++q) gate += double(t.left[left + q]) * t.right[right + q * p.inputs];
    for (long q = 0; q < p.local_rank; ++q) score += double(t.vectors[vector + q]) * t.context[context + q * p.inputs];
    const double local = p.local_rank ? 1 / (1 + std::exp(-score)) : 1;
    const double upstream =
        convolve(t, b, r / p.height, input, r % p.height * p.width + tap, matrix * gate * local, e);
    for (long q = 0; q < p.rank; ++q) {
        e[3][left + q] += upstream * matrix * local * t.right[right + q * p.inputs];
        e[4][right + q * p.inputs] += upstream * matrix * local * t.left[left + q];
    }
    const double to_score = upstream * matrix * gate * local * (1 - local);
    for (long q = 0; q < p.local_rank; ++q) {
        e[5][vector + q] += to_score * t.context[context + q * p.inputs];
        e[6][context + q * p.inputs] += to_score * t.vectors[vector + q];
    }
    for (long m = 0; m < p.spectra; ++m)
        for (long place = 0; place < size; ++place) {
            const Complex turn = wave_at(p, place / p.rows(), place % p.rows(), r, c) * (upstream * gate * local);
            const long i = 2 * (m * size + place);
            e[1][i] += turn.real() * gate_of(p, t, b, m, place);
            e[1][i + 1] -= turn.imag() * gate_of(p, t, b, m, place);
            e[2][(b * p.spectra + m) * p.gates + t.runs[place]] +=
                t.spectrum[i] * turn.real() - t.spectrum[i + 1] * turn.imag();
        }
}

}  // namespace

bool check_spectrum(const SpectrumProblem& p) {
    Tensors t(p);
    const std::vector<Numbers> found = run(p, t, 1);
    bool good = dynaconv_spectrum_runs(&p) && !found.empty();
    std::vector<Expected> expected;
    for (const Numbers& result : found) expected.emplace_back(result.size(), 0.0);
    for (long b = 0; good && b < kSamples; ++b)
        for (long r = 0; r < p.rows(); ++r)
            for (long c = 0; c < p.columns(); ++c) add_number(p, t, b, r, c, expected);
    for (size_t n = 0; n < found.size(); ++n) good = agree(expected[n], found[n], false) && good;
    for (long threads : {2, 4}) {
        const std::vector<Numbers> again = run(p, t, threads);
        for (size_t n = 0; n < found.size(); ++n) good = good && !again.empty() && identical(found[n], again[n]);
    }
    return good;
}

}  // namespace selfcheck
