// The C interface of convolutions whose taps are weighted at every pixel. Everything is float32, channels last; taps are
// samples x tap groups x taps x output pixels.
#include <algorithm>
#include <memory>

#include "blocking.h"
#include "parallel.h"
#include "plan.h"
#include "select.h"

using namespace dynaconv;

namespace {

// A pass with all that follows from the problem; the plan outlives the cache that it comes from.
struct Pass {
    std::shared_ptr<const Plan> plan;
    Tapwise t{};

    Pass(const Problem& p, TapwisePass pass, const float* x, const float* taps) {
        const TapwiseBlocking blocking = tapwise_blocking(p, pass);
        plan = find_plan(p, Direction::kForward, {blocking.block_pixels, 1, blocking.block_pixels});
        t.shape = bank_shape(p, pass == TapwisePass::kSourceGradient);
        t.samples = p.samples;
        t.amount_groups = p.tap_groups;
        t.source_pixels = p.in_pixels();
        t.destination_pixels = p.out_pixels();
        t.source_channels = p.in_channels;
        t.destination_channels = p.out_channels;
        t.source = x;
        t.amounts = taps;
        t.blocks = plan->blocks();
        t.block_count = plan->block_count();
        t.largest_destination = plan->largest_destination();
        t.row_chunk = blocking.row_chunk;
        t.columns_at = blocking.columns_at;
        t.bands = blocking.bands;
    }
};

// Room for every band's sums: the result itself where there is one band.
class Bands {
  public:
    Bands(long bands, long size, float* result)
        : bands_(bands), size_(size), result_(result), own_(bands > 1 ? new float[bands * size] : nullptr) {}
    float* data() { return own_ ? own_.get() : result_; }
    void sum() const {
        for (long i = 0; own_ && i < size_; ++i) {
            float total = 0;
            for (long band = 0; band < bands_; ++band) total += own_[band * size_ + i];
            result_[i] = total;
        }
    }

  private:
    long bands_, size_;
    float* result_;
    std::unique_ptr<float[]> own_;
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void dynaconv_tapwise_forward(const Problem* p, const float* x, const float* packed, const float* taps, float* y) {
    Pass pass(*p, TapwisePass::kForward, x, taps);
    pass.t.weights = packed;
    pass.t.destination = y;
    expect_writes(y, p->samples * p->out_pixels() * p->out_channels * sizeof(float));
    parallel_for(p->threads, pass.t.forward_items(), kernels().tapwise_forward, &pass.t);
}

// The gradients of x and of the taps.
void dynaconv_tapwise_source_gradient(const Problem* p, const float* y_gradient, const float* x,
                                      const float* packed_transposed, const float* taps, float* x_gradient,
                                      float* taps_gradient) {
    Pass pass(*p, TapwisePass::kSourceGradient, x, taps);
    Bands bands(pass.t.bands, p->samples * p->in_pixels() * p->in_channels, x_gradient);
    pass.t.weights = packed_transposed;
    pass.t.gradient = y_gradient;
    pass.t.source_gradients = bands.data();
    pass.t.amounts_gradient = taps_gradient;
    // Taps that fall on padding stay without a gradient.
    std::fill_n(taps_gradient, p->samples * p->tap_groups * p->taps() * p->out_pixels(), 0.0f);
    parallel_for(p->threads, pass.t.source_items(), kernels().tapwise_source_gradient, &pass.t);
    bands.sum();
}

// The gradient of the weight, in the plain layout.
void dynaconv_tapwise_weight_gradient(const Problem* p, const float* y_gradient, const float* x, const float* taps,
                                      float* weight_gradient) {
    Pass pass(*p, TapwisePass::kWeightGradient, x, taps);
    Bands bands(pass.t.bands, p->out_channels * (p->in_channels / p->groups) * p->taps(), weight_gradient);
    pass.t.gradient = y_gradient;
    pass.t.weight_gradients = bands.data();
    parallel_for(p->threads, pass.t.weight_items(), kernels().tapwise_weight_gradient, &pass.t);
    bands.sum();
}

}  // extern "C"
#pragma GCC visibility pop
