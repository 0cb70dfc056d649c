// The pixels under one tap, each times that tap's amount there: what a convolution with taps weighted per pixel multiplies.
#pragma once
#include "source.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Neighbouring places in a row of weighted numbers whose channels lie side by side and share their amounts.
struct Segment {
    int at, count, channel, amount_group;
};

struct Segments {
    const Segment* all;
    long count, width;  // width: of a row
};

// Appends a place to the segments, where it belongs to the last one or to one of its own.
static inline long add_place(Segment* all, long count, int at, int channel, int amount_group) {
    Segment* last = count ? all + count - 1 : nullptr;
    if (last && last->at + last->count == at && last->channel + last->count == channel &&
        last->amount_group == amount_group) {
        ++last->count;
        return count;
    }
    all[count] = {at, 1, channel, amount_group};
    return count + 1;
}

// The segments of a part of the source; places lane by lane that no column uses are in none.
static Segments source_segments(const Tapwise& t, const SourcePart& part) {
    const BankShape& shape = t.shape;
    const bool lanes = shape.lane_columns > 0;
    const long width = lanes ? part.width : 1, shared = t.source_channels / t.amount_groups;
    auto* all = reinterpret_cast<Segment*>(scratch(kSmall, part.rows * width * (sizeof(Segment) / sizeof(float))));
    long count = 0;
    for (long r = 0; r < part.rows; ++r)
        for (long c = 0; c < width && (!lanes || part.column + c < shape.columns); ++c) {
            const long group = lanes ? (part.column + c) / shape.lane_columns : part.group;
            const long channel = group * shape.rows + part.row + r;
            count = add_place(all, count, static_cast<int>(r * width + c), static_cast<int>(channel),
                              static_cast<int>(channel / shared));
        }
    return {all, count, part.rows * width};
}

// Pixels that are weighted side by side: as many amounts as a cache line holds.
constexpr int kPixelsTogether = 16;

// To is [pixel of the run][row of segments]; places outside the segments stay as they are.
static void weigh(const Tapwise& t, long sample, const BlockTable& block, const Run& run, long tap,
                  const Segments& segments, float* to) {
    const float* from = t.source + sample * t.source_pixels * t.source_channels;
    const float* amounts = t.amounts + sample * t.amount_groups * t.shape.taps * t.destination_pixels +
                           tap * t.destination_pixels + block.first_destination;
    for (int first = 0; first < run.count; first += kPixelsTogether) {
        const int next = static_cast<int>(least(first + kPixelsTogether, run.count));
        for (long s = 0; s < segments.count; ++s) {
            const Segment& segment = segments.all[s];
            const float* amount = amounts + segment.amount_group * t.shape.taps * t.destination_pixels;
            for (int i = first; i < next; ++i) {
                const float* x = from + block.source_pixels[run.source[i]] * t.source_channels + segment.channel;
                float* y = to + i * segments.width + segment.at;
                const float value = amount[run.destination[i]];
                for (int c = 0; c < segment.count; ++c) y[c] = x[c] * value;
            }
        }
    }
}

// to += g x value; the dot product of g and x.
static inline float add_and_dot(const float* g, float value, const float* x, int count, float* to) {
    Vector totals = Vector{};
    int c = 0;
    for (; c + kLanes <= count; c += kLanes) {
        const Vector flow = load(g + c);
        store(to + c, load(to + c) + flow * value);
        totals += flow * load(x + c);
    }
    float total = sum(totals);
    for (; c < count; ++c) {
        to[c] += g[c] * value;
        total += g[c] * x[c];
    }
    return total;
}

// The adjoint of weigh: what reaches the source, and what reaches the amounts.
static void unweigh(const Tapwise& t, long sample, const BlockTable& block, const Run& run, long tap,
                    const Segments& segments, const float* from, float* source_gradient) {
    const float* source = t.source + sample * t.source_pixels * t.source_channels;
    const long start = sample * t.amount_groups * t.shape.taps * t.destination_pixels + tap * t.destination_pixels +
                       block.first_destination;
    for (int first = 0; first < run.count; first += kPixelsTogether) {
        const int next = static_cast<int>(least(first + kPixelsTogether, run.count));
        for (long s = 0; s < segments.count; ++s) {
            const Segment& segment = segments.all[s];
            const long place = start + segment.amount_group * t.shape.taps * t.destination_pixels;
            for (int i = first; i < next; ++i) {
                const long pixel = block.source_pixels[run.source[i]] * t.source_channels + segment.channel;
                const long at = place + run.destination[i];
                t.amounts_gradient[at] += add_and_dot(from + i * segments.width + segment.at, t.amounts[at],
                                                      source + pixel, segment.count, source_gradient + pixel);
            }
        }
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
