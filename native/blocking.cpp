#include "blocking.h"

#include <algorithm>
#include <cstdlib>

namespace dynaconv {
namespace {

long env(const char* n, long v) { const char* e = std::getenv(n); return e ? std::atol(e) : v; }

// Floats that a thread may keep of one kind while others stay in a 1 MB second-level cache.
constexpr long kResident = 64 * 1024;
}  // namespace

Blocking choose_blocking(const Problem& p, Direction direction) {
    const BankShape shape = bank_shape(p, direction == Direction::kInputGradient);
    const bool forward = direction == Direction::kForward;
    const long pixels = forward ? p.out_height * p.out_width : p.height * p.width;
    const long sources = forward ? p.height * p.width : p.out_height * p.out_width;
    Blocking b{};
    if (pixels <= env("DC_SMALL", 400)) {
        b.block_pixels = pixels;
        b.row_chunk = std::min(shape.rows, env("DC_RC", 128));
        b.sample_group = env("DC_SG", 4);
        b.run_pixels = env("DC_RP", 64);
        b.taps_together = std::min(shape.taps, env("DC_TG", 1));
        const long fit = kResident / std::max(pixels * kColumnBlock, sources * b.row_chunk);
        b.sample_block = std::clamp<long>(fit, b.sample_group, 64);
    } else {
        b.taps_together = shape.taps;
        b.block_pixels = env("DC_BP", 1024);
        b.sample_group = 1;
        b.run_pixels = 0;
        b.sample_block = 1;
        b.row_chunk = std::clamp<long>(80 * 1024 / (shape.taps * kColumnBlock), 1, shape.rows);
    }
    b.sample_block = std::max<long>(1, std::min(b.sample_block, p.samples));
    return b;
}

Blocking gradient_blocking(const Problem& p) {
    const BankShape shape = bank_shape(p, false);
    const long pixels = p.out_height * p.out_width, sources = p.height * p.width;
    Blocking b{};
    b.block_pixels = 1024;
    b.row_chunk = std::min(shape.rows, env("DC_IR", 64));
    const long block = std::min(pixels, b.block_pixels);
    const long source = sources * block / std::max<long>(pixels, 1);
    b.sample_block = std::clamp<long>(kResident / std::max<long>(1, std::max(block * kColumnBlock, source * b.row_chunk)), 1, 64);
    if (b.sample_block > 4) b.sample_block -= b.sample_block % 4;
    return b;
}

}  // namespace dynaconv
