// The kernels for weights mixed from cells against plain loops.
#include "numbers.h"

using dynaconv::Problem;

extern "C" {
int64_t dynaconv_packed_cell_floats(const Problem*, int64_t, int64_t, int);
void dynaconv_pack_cells(const Problem*, int64_t, int64_t, int, const float*, float*);
void dynaconv_cell_forward(const Problem*, int64_t, int64_t, const void*, const float*, const float*, void*);
void dynaconv_cell_input_gradient(const Problem*, int64_t, int64_t, const void*, const float*, const float*, void*);
void dynaconv_cell_gradient(const Problem*, int64_t, int64_t, const void*, const void*, const float*, const float*,
                            float*, float*);
}

namespace selfcheck {
namespace {

struct Tensors {
    Numbers x, y_gradient, cells, mixtures;
    explicit Tensors(const CellProblem& p)
        : x(p.samples * p.in_pixels() * p.in_channels), y_gradient(p.samples * p.out_pixels() * p.out_channels),
          cells(p.experts * p.cell_out * p.cell_in),
          mixtures(p.samples * p.taps() * (p.out_channels / p.cell_out) * (p.in_channels / p.cell_in) * p.experts) {}
};

// y, then the gradients of x, cells and mixtures.
std::vector<Numbers> run(CellProblem p, Tensors& t, long threads) {
    p.threads = threads;
    std::vector<Numbers> r;
    for (const Numbers* like : {&t.y_gradient, &t.x, &t.cells, &t.mixtures})
        r.emplace_back(like->size(), Numbers::kResult);
    const long out = p.cell_out, in = p.cell_in;
    Numbers packed(dynaconv_packed_cell_floats(&p, out, in, 0), Numbers::kResult);
    Numbers transposed(dynaconv_packed_cell_floats(&p, out, in, 1), Numbers::kResult);
    dynaconv_pack_cells(&p, out, in, 0, t.cells.floats(), packed.floats());
    dynaconv_pack_cells(&p, out, in, 1, t.cells.floats(), transposed.floats());
    const float* mixtures = t.mixtures.floats();
    dynaconv_cell_forward(&p, out, in, t.x.data(), packed.floats(), mixtures, r[0].data());
    dynaconv_cell_input_gradient(&p, out, in, t.y_gradient.data(), transposed.floats(), mixtures, r[1].data());
    dynaconv_cell_gradient(&p, out, in, t.x.data(), t.y_gradient.data(), packed.floats(), mixtures, r[2].floats(),
                           r[3].floats());
    if (!packed.guarded() || !transposed.guarded()) r.clear();
    return r;
}

// One output channel of one sample at one pixel: its part of everything.
void add_output(const CellProblem& p, const Tensors& t, long b, long q, long o, std::vector<Expected>& r) {
    const long outputs = p.out_channels / p.cell_out, inputs = p.in_channels / p.cell_in;
    const long yi = (b * p.out_pixels() + q) * p.out_channels + o;
    for (long tap = 0; tap < p.taps(); ++tap) {
        const long pixel = pixel_under(p, q, tap);
        if (pixel < 0) continue;
        for (long i = 0; i < p.in_channels; ++i) {
            const long xi = (b * p.in_pixels() + pixel) * p.in_channels + i;
            const long block = ((b * p.taps() + tap) * outputs + o / p.cell_out) * inputs + i / p.cell_in;
            const double x = t.x[xi], g = t.y_gradient[yi];
            for (long n = 0; n < p.experts; ++n) {
                const long ci = (n * p.cell_out + o % p.cell_out) * p.cell_in + i % p.cell_in;
                const long mi = block * p.experts + n;
                const double w = t.cells[ci], m = t.mixtures[mi];
                r[0][yi] += x * w * m;
                r[1][xi] += g * w * m;
                r[2][ci] += g * x * m;
                r[3][mi] += g * x * w;
            }
        }
    }
}

}  // namespace

bool check_cells(CellProblem p) { return check<Tensors>(p, run, add_output); }

}  // namespace selfcheck
