#include "plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

namespace dynaconv {
namespace {

constexpr int kOutside = -1;   // the tap falls on padding
constexpr int kNoMatch = -2;   // the tap meets no pixel of a strided map

struct Axis {
    long source, destination, stride, pad, dilation;
    bool forward;

    int find(long position, long tap) const {
        long at;
        if (forward) {
            at = position * stride - pad + tap * dilation;
        } else {
            const long shifted = position + pad - tap * dilation;
            if (shifted % stride != 0) return kNoMatch;
            at = shifted / stride;
        }
        return at < 0 || at >= source ? kOutside : static_cast<int>(at);
    }
};

}  // namespace

struct Plan::Geometry {
    Axis axes[3];
    long kernel[3], taps, sources = 1, destinations = 1;

    Geometry(const Problem& p, bool forward) : taps(p.taps()) {
        for (int d = 0; d < 3; ++d) {
            const long source = forward ? p.in_size[d] : p.out_size[d];
            const long destination = forward ? p.out_size[d] : p.in_size[d];
            axes[d] = {source, destination, p.stride[d], p.pad[d], p.dilation[d], forward};
            kernel[d] = p.kernel[d];
            sources *= source;
            destinations *= destination;
        }
    }

    int source(long pixel, long tap) const {
        bool outside = false;
        long at[3];
        for (int d = 2; d >= 0; --d) {
            at[d] = axes[d].find(pixel % axes[d].destination, tap % kernel[d]);
            if (at[d] == kNoMatch) return kNoMatch;
            outside = outside || at[d] == kOutside;
            pixel /= axes[d].destination;
            tap /= kernel[d];
        }
        return outside ? kOutside : static_cast<int>((at[0] * axes[1].source + at[1]) * axes[2].source + at[2]);
    }
};

Plan::Plan(const Problem& problem, Direction direction, const Cut& cut) : cut_(cut) {
    const Geometry geometry(problem, direction == Direction::kForward);
    const long pixels = geometry.destinations;
    const long blocks = ceil_div(pixels, cut.block_pixels);
    compact_.assign(geometry.sources, -1);
    for (long b = 0; b < blocks; ++b) {
        const long first = pixels * b / blocks;
        add_block(geometry, first, pixels * (b + 1) / blocks - first);
    }
    compact_.clear();
}

long Plan::largest_source() const {
    long largest = 0;
    for (const auto& block : blocks_) largest = std::max<long>(largest, block.source_count);
    return largest;
}

long Plan::largest_destination() const {
    long largest = 0;
    for (const auto& block : blocks_) largest = std::max<long>(largest, block.destination_count);
    return largest;
}

const int* Plan::keep(std::vector<int> values) {
    integers_.push_back(std::move(values));
    return integers_.back().data();
}

void Plan::add_block(const Geometry& geometry, long first, long count) {
    std::vector<int> used;
    for (long pixel = first; pixel < first + count; ++pixel)
        for (long tap = 0; tap < geometry.taps; ++tap) {
            const int source = geometry.source(pixel, tap);
            if (source >= 0 && compact_[source] < 0) {
                compact_[source] = 0;
                used.push_back(source);
            }
        }
    std::sort(used.begin(), used.end());
    for (size_t i = 0; i < used.size(); ++i) compact_[used[i]] = static_cast<int>(i);
    BlockTable block{};
    block.source_count = static_cast<int>(used.size());
    block.source_pixels = keep(used);
    block.first_destination = static_cast<int>(first);
    block.destination_count = static_cast<int>(count);
    groups_.emplace_back();
    for (long tap = 0; tap < geometry.taps; tap += cut_.taps_together)
        add_runs(geometry, block, tap, std::min(cut_.taps_together, geometry.taps - tap));
    block.groups = groups_.back().data();
    block.group_count = static_cast<int>(groups_.back().size());
    blocks_.push_back(block);
    for (int source : used) compact_[source] = -1;
}

void Plan::add_runs(const Geometry& geometry, BlockTable& block, long first_tap, long tap_count) {
    std::vector<Run> runs;
    if (cut_.run_pixels > 0) {
        const long parts = ceil_div(block.destination_count, cut_.run_pixels);
        for (long part = 0; part < parts; ++part) {
            const long first = block.destination_count * part / parts;
            const long next = block.destination_count * (part + 1) / parts;
            for (int tap = 0; tap < tap_count; ++tap)
                add_single_tap(geometry, block, first_tap, tap, first, next - first, runs);
        }
    } else
        add_classes(geometry, block, first_tap, tap_count, runs);
    runs_.push_back(std::move(runs));
    groups_.back().push_back({static_cast<int>(first_tap), static_cast<int>(tap_count), runs_.back().data(),
                              static_cast<int>(runs_.back().size())});
}

// Only the pixels that the tap really meets: on small maps a third of all pairs is padding.
void Plan::add_single_tap(const Geometry& geometry, const BlockTable& block, long first_tap, int tap,
                          long first_pixel, long pixels, std::vector<Run>& runs) {
    std::vector<int> source, destination;
    for (long pixel = first_pixel; pixel < first_pixel + pixels; ++pixel) {
        const int from = geometry.source(block.first_destination + pixel, first_tap + tap);
        if (from < 0) continue;
        source.push_back(compact_[from]);
        destination.push_back(static_cast<int>(pixel));
    }
    if (source.empty()) return;
    const int count = static_cast<int>(source.size());
    runs.push_back({keep({tap}), 1, keep(std::move(source)), keep(std::move(destination)), count});
}

// Pixels grouped by the taps that can meet them; they differ only where a strided convolution is reversed.
void Plan::add_classes(const Geometry& geometry, const BlockTable& block, long first_tap, long tap_count,
                       std::vector<Run>& runs) {
    std::map<std::vector<int>, std::vector<int>> classes;
    std::vector<int> taps;
    for (int pixel = 0; pixel < block.destination_count; ++pixel) {
        taps.clear();
        for (int tap = 0; tap < tap_count; ++tap)
            if (geometry.source(block.first_destination + pixel, first_tap + tap) != kNoMatch) taps.push_back(tap);
        if (!taps.empty()) classes[taps].push_back(pixel);
    }
    for (const auto& [members, pixels] : classes) {
        std::vector<int> source;
        for (int tap : members)
            for (int pixel : pixels) {
                const int from = geometry.source(block.first_destination + pixel, first_tap + tap);
                source.push_back(from < 0 ? block.source_count : compact_[from]);
            }
        runs.push_back({keep(members), static_cast<int>(members.size()), keep(std::move(source)), keep(pixels),
                        static_cast<int>(pixels.size())});
    }
}

std::shared_ptr<const Plan> find_plan(const Problem& p, Direction direction, const Plan::Cut& cut) {
    constexpr size_t kMostPlans = 256;
    using Key = std::array<int64_t, 22>;
    static std::map<Key, std::shared_ptr<const Plan>> plans;
    static std::mutex mutex;
    Key key{direction == Direction::kForward, cut.block_pixels, cut.taps_together, cut.run_pixels};
    auto end = key.begin() + 4;
    for (const auto* sizes : {p.in_size, p.out_size, p.kernel, p.stride, p.pad, p.dilation})
        end = std::copy(sizes, sizes + 3, end);
    const std::lock_guard<std::mutex> lock(mutex);
    if (plans.size() >= kMostPlans && plans.count(key) == 0) plans.clear();
    auto& plan = plans[key];
    if (!plan) plan = std::make_shared<const Plan>(p, direction, cut);
    return plan;
}

void set_maps(Convolution& c, const Problem& p, Direction direction, const Plan& plan) {
    const bool forward = direction == Direction::kForward;
    c.bank_shape = bank_shape(p, !forward);
    c.source_pixels = forward ? p.in_pixels() : p.out_pixels();
    c.source_channels = forward ? p.in_channels : p.out_channels;
    c.destination_pixels = forward ? p.out_pixels() : p.in_pixels();
    c.destination_channels = forward ? p.out_channels : p.in_channels;
    c.blocks = plan.blocks();
    c.block_count = plan.block_count();
    c.largest_source = plan.largest_source();
    c.largest_destination = plan.largest_destination();
}

}  // namespace dynaconv
