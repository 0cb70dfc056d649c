// The C interface that src/dynaconv/native/library.py loads: plain pointers, channels last, no checks (the Python side has
// made them). Maps are float32 or bfloat16, all else is float32. Every function returns when its result is complete.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "blocking.h"
#include "parallel.h"
#include "plan.h"
#include "select.h"

using namespace dynaconv;

namespace {

Map map_of(const Problem& p, const void* data) { return {const_cast<void*>(data), p.half != 0}; }

void run_convolution(const Problem& p, Direction direction, Convolution& c) {
    const Blocking blocking = c.bank                ? choose_blocking(p, direction)
                              : c.cells.packed ? cell_blocking(p, direction, c.cells.rows)
                                               : dense_blocking(p, direction);
    const auto plan = find_plan(p, direction, {blocking.block_pixels, blocking.taps_together, blocking.run_pixels});
    c.plain_bank = c.bank && p.plain_bank;
    c.transposed = direction == Direction::kInputGradient;
    set_maps(c, p, direction, *plan);
    c.samples = p.samples;
    c.row_chunk = blocking.row_chunk;
    c.sample_block = blocking.sample_block;
    c.sample_group = blocking.sample_group;
    c.most_taps = blocking.taps_together;
    std::vector<float> dots;
    float* const result = c.dots;
    const long channels = c.samples * c.destination_channels;
    if (c.partner.data) {
        dots.resize(c.block_count * channels);
        c.dots = dots.data();
    }
    const long bytes = c.destination.half ? 2 : sizeof(float);
    expect_writes(c.destination.data, c.samples * c.destination_pixels * c.destination_channels * bytes);
    parallel_for(p.threads, c.items(), kernels().convolve, &c);
    if (!c.partner.data) return;
    for (long i = 0; i < channels; ++i) {
        float total = 0;
        for (long b = 0; b < c.block_count; ++b) total += dots[b * channels + i];
        result[i] = total;
    }
}

// Cells of (o, i) channels for one direction.
CellBank cell_bank(const Problem& p, int64_t out, int64_t in, bool transposed, const float* packed, const float* mixtures) {
    const long outputs = p.out_channels / out, inputs = p.in_channels / in;
    if (transposed) return {p.experts, out, in, outputs, inputs, true, packed, mixtures};
    return {p.experts, in, out, inputs, outputs, false, packed, mixtures};
}

// What the gradients of banks and of the samples' own kernels have in common; the plan has to live as long.
Gradient gradient_pass(const Problem& p, const Blocking& blocking, const Plan& plan, const void* x,
                       const void* y_gradient, float* result) {
    Gradient g{};
    g.bank_shape = bank_shape(p, false);
    g.samples = p.samples;
    g.source_pixels = p.in_pixels();
    g.destination_pixels = p.out_pixels();
    g.source_channels = p.in_channels;
    g.destination_channels = p.out_channels;
    g.source = map_of(p, x);
    g.gradient = map_of(p, y_gradient);
    g.bank_gradient = result;
    g.blocks = plan.blocks();
    g.block_count = plan.block_count();
    g.largest_source = plan.largest_source();
    g.largest_destination = plan.largest_destination();
    g.row_range = blocking.row_chunk;
    g.slice_block = blocking.sample_block;
    return g;
}

std::shared_ptr<const Plan> gradient_plan(const Problem& p, const Blocking& blocking) {
    return find_plan(p, Direction::kForward, {blocking.block_pixels, 1, blocking.block_pixels});
}

// Sums the row ranges' and groups' parts in a fixed order, so that the result does not depend on the threads.
void collect(const Problem& p, const Gradient& g, float* coefficients, float* scale_gradient) {
    const BankShape& shape = g.bank_shape;
    const long size = g.samples * shape.experts * shape.taps;
    for (long i = 0; i < size; ++i) {
        float total = 0;
        for (long item = 0; item < g.items(); ++item) total += g.coefficient_parts[item * size + i];
        coefficients[i] = total;
    }
    if (!scale_gradient) return;
    const long columns = padded_columns(shape.columns);
    for (long sample = 0; sample < g.samples; ++sample)
        for (long o = 0; o < p.out_channels; ++o) {
            const long group = o / shape.columns, column = o % shape.columns;
            float total = 0;
            for (long range = 0; range < g.row_ranges(); ++range)
                total += g.scale_parts[((group * g.row_ranges() + range) * g.samples + sample) * columns + column];
            scale_gradient[sample * p.out_channels + o] = total;
        }
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int dynaconv_interface_version() { return kInterfaceVersion; }

const char* dynaconv_isa() { return kernels().name; }

int dynaconv_force_isa(const char* name) { return force_kernels(name) ? 1 : 0; }

int64_t dynaconv_packed_floats(const Problem* p, int transposed) {
    const BankShape shape = bank_shape(*p, transposed != 0);
    return shape.experts * shape.groups * shape.group_size();
}

// A number that changes with the values in a tensor of so many bytes, from evenly spaced ones: it tells weights that were
// overwritten from weights that were not, at no cost.
uint64_t dynaconv_fingerprint(const void* data, int64_t bytes) {
    constexpr int64_t kSamples = 512;
    const int64_t size = std::min<int64_t>(bytes, sizeof(uint32_t)), last = bytes / std::max<int64_t>(size, 1) - 1;
    uint64_t hash = 1469598103934665603u;
    for (int64_t i = 0; i < kSamples; ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, static_cast<const char*>(data) + last * i / (kSamples - 1) * size, size);
        hash = (hash ^ bits) * 1099511628211u;
    }
    return hash;
}

// Whether a pass would rather have the bank in PyTorch's layout than packed: then set Problem::plain_bank.
int dynaconv_reads_plain(const Problem* p, int transposed) {
    return reads_plain(*p, transposed ? Direction::kInputGradient : Direction::kForward);
}

void dynaconv_pack(const Problem* p, const float* bank, int transposed, float* packed) {
    Packing packing{bank_shape(*p, transposed != 0), bank, packed, transposed != 0};
    expect_writes(packed, packing.shape.experts * packing.shape.groups * packing.shape.group_size() * sizeof(float));
    parallel_for(p->threads, packing.items(), kernels().pack, &packing);
}

// y = conv(x, kernels) x out_scale + bias; coefficients: samples x experts x taps; in_scale, out_scale and bias may be null.
void dynaconv_forward(const Problem* p, const void* x, const float* bank, const float* coefficients,
                      const float* in_scale, const float* out_scale, const float* bias, void* y) {
    Convolution c{};
    c.source = map_of(*p, x);
    c.bank = bank;
    c.coefficients = coefficients;
    c.source_scale = in_scale;
    c.destination_scale = out_scale;
    c.bias = bias;
    c.destination = map_of(*p, y);
    run_convolution(*p, Direction::kForward, c);
}

// The gradient of x and, where x is given, of in_scale (samples x in_channels).
void dynaconv_input_gradient(const Problem* p, const void* y_gradient, const float* bank,
                             const float* coefficients, const float* in_scale, const float* out_scale, const void* x,
                             void* x_gradient, float* in_scale_gradient) {
    Convolution c{};
    c.source = map_of(*p, y_gradient);
    c.bank = bank;
    c.coefficients = coefficients;
    c.source_scale = out_scale;
    c.destination_scale = in_scale;
    c.destination = map_of(*p, x_gradient);
    c.partner = map_of(*p, in_scale_gradient ? x : nullptr);
    c.dots = in_scale_gradient;
    run_convolution(*p, Direction::kInputGradient, c);
}

// The gradients of the bank (plain layout, as the bank), of the coefficients and, where wanted, of out_scale (samples x
// out_channels).
void dynaconv_bank_gradient(const Problem* p, const void* x, const void* y_gradient, const float* bank,
                            const float* coefficients, const float* in_scale,
                            const float* out_scale, float* bank_gradient, float* coefficient_gradient,
                            float* out_scale_gradient) {
    const Blocking blocking = gradient_blocking(*p);
    const auto plan = gradient_plan(*p, blocking);
    Gradient g = gradient_pass(*p, blocking, *plan, x, y_gradient, bank_gradient);
    g.bank = bank;
    g.coefficients = coefficients;
    g.source_scale = in_scale;
    g.destination_scale = out_scale;
    const BankShape& shape = g.bank_shape;
    std::unique_ptr<float[]> parts(new float[g.items() * g.samples * shape.experts * shape.taps]);
    std::vector<float> scale_parts;
    if (out_scale_gradient)
        scale_parts.assign(shape.groups * g.row_ranges() * g.samples * padded_columns(shape.columns), 0.0f);
    g.coefficient_parts = parts.get();
    g.scale_parts = out_scale_gradient ? scale_parts.data() : nullptr;
    expect_writes(bank_gradient, p->experts * p->out_channels * shape.rows * shape.taps * sizeof(float));
    parallel_for(p->threads, g.items(), kernels().bank_gradient, &g);
    collect(*p, g, coefficient_gradient, out_scale_gradient);
}

// y = conv(x, weight) with a weight per sample, in the plain layout.
void dynaconv_dense_forward(const Problem* p, const void* x, const float* weight, void* y) {
    Convolution c{};
    c.source = map_of(*p, x);
    c.kernels = weight;
    c.destination = map_of(*p, y);
    run_convolution(*p, Direction::kForward, c);
}

void dynaconv_dense_input_gradient(const Problem* p, const void* y_gradient, const float* weight, void* x_gradient) {
    Convolution c{};
    c.source = map_of(*p, y_gradient);
    c.kernels = weight;
    c.destination = map_of(*p, x_gradient);
    run_convolution(*p, Direction::kInputGradient, c);
}

void dynaconv_dense_weight_gradient(const Problem* p, const void* x, const void* y_gradient, float* weight_gradient) {
    const Blocking blocking = gradient_blocking(*p);
    const auto plan = gradient_plan(*p, blocking);
    Gradient g = gradient_pass(*p, blocking, *plan, x, y_gradient, weight_gradient);
    const BankShape& shape = g.bank_shape;
    expect_writes(weight_gradient, p->samples * p->out_channels * shape.rows * shape.taps * sizeof(float));
    parallel_for(p->threads, p->samples * g.items(), kernels().dense_gradient, &g);
}

int64_t dynaconv_packed_cell_floats(const Problem* p, int64_t out, int64_t in, int transposed) {
    return p->experts * (transposed ? out * padded_columns(in) : in * padded_columns(out));
}

// Cells (N, o, i), N the problem's experts, into the layout of CellBank.
void dynaconv_pack_cells(const Problem* p, int64_t out, int64_t in, int transposed, const float* cells, float* packed) {
    CellPacking packing{cell_bank(*p, out, in, transposed != 0, packed, nullptr), cells, packed};
    parallel_for(p->threads, packing.items(), kernels().pack_cells, &packing);
}

// y = conv(x, kernels put together from cells); mixtures: samples x taps x outputs / o x inputs / i x N.
void dynaconv_cell_forward(const Problem* p, int64_t out, int64_t in, const void* x, const float* packed,
                           const float* mixtures, void* y) {
    Convolution c{};
    c.source = map_of(*p, x);
    c.cells = cell_bank(*p, out, in, false, packed, mixtures);
    c.destination = map_of(*p, y);
    run_convolution(*p, Direction::kForward, c);
}

void dynaconv_cell_input_gradient(const Problem* p, int64_t out, int64_t in, const void* y_gradient,
                                  const float* packed_transposed, const float* mixtures, void* x_gradient) {
    Convolution c{};
    c.source = map_of(*p, y_gradient);
    c.cells = cell_bank(*p, out, in, true, packed_transposed, mixtures);
    c.destination = map_of(*p, x_gradient);
    run_convolution(*p, Direction::kInputGradient, c);
}

void dynaconv_cell_gradient(const Problem* p, int64_t out, int64_t in, const void* x, const void* y_gradient,
                            const float* packed, const float* mixtures, float* cell_gradient, float* mixture_gradient) {
    Blocking blocking = gradient_blocking(*p);
    const auto plan = gradient_plan(*p, blocking);
    // A few rows: some kernels' gradients, the cells and their gradient stay in the second-level cache.
    blocking.row_chunk = std::min<int64_t>(in, 16);
    Gradient g = gradient_pass(*p, blocking, *plan, x, y_gradient, cell_gradient);
    g.cells = cell_bank(*p, out, in, false, packed, mixtures);
    const long blocks = ceil_div(out, kColumnBlock), ranges = ceil_div(in, g.row_range);
    g.bands = std::min(ranges, ceil_div(16, blocks));
    const long size = g.cells.mixture_of(g.bank_shape.taps, g.samples, 0, 0), items = blocks * g.bands;
    std::unique_ptr<float[]> parts(new float[items * size]);
    g.coefficient_parts = parts.get();
    expect_writes(cell_gradient, p->experts * out * in * sizeof(float));
    parallel_for(p->threads, items, kernels().cell_gradient, &g);
    for (long i = 0; i < size; ++i) {
        float total = 0;
        for (long item = 0; item < items; ++item) total += parts[item * size + i];
        mixture_gradient[i] = total;
    }
}

}  // extern "C"
#pragma GCC visibility pop
