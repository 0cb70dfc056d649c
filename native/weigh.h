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

// Pixels of a run that are weighted side by side: as many amounts as a cache line holds.
constexpr int kPixelsTogether = 16;

struct Pixels {
    int count;
    long source[kPixelsTogether];      // where their numbers start in the source map
    int destination[kPixelsTogether];  // relative to the block
};

static inline Pixels pixels_from(const Tapwise& t, const BlockTable& block, const Run& run, int first) {
    Pixels pixels;
    pixels.count = static_cast<int>(least(kPixelsTogether, run.count - first));
    for (int i = 0; i < pixels.count; ++i) {
        pixels.source[i] = block.source_pixels[run.source[first + i]] * t.source_channels;
        pixels.destination[i] = run.destination[first + i];
    }
    return pixels;
}

// Where the amounts of a segment under one tap start, for the first pixel of a block.
static inline long amounts_start(const Tapwise& t, long sample, const BlockTable& block, long tap,
                                 const Segment& segment) {
    return ((sample * t.amount_groups + segment.amount_group) * t.shape.taps + tap) * t.destination_pixels +
           block.first_destination;
}

// To is [pixel of the run][row of segments]; places outside the segments stay as they are.
static void weigh(const Tapwise& t, long sample, const BlockTable& block, const Run& run, long tap,
                  const Segments& segments, float* to) {
    const float* source = t.source + sample * t.source_pixels * t.source_channels;
    for (int first = 0; first < run.count; first += kPixelsTogether, to += kPixelsTogether * segments.width) {
        const Pixels pixels = pixels_from(t, block, run, first);
        for (long s = 0; s < segments.count; ++s) {
            const Segment& segment = segments.all[s];
            const float* amounts = t.amounts + amounts_start(t, sample, block, tap, segment);
            const float* x = source + segment.channel;
            float* y = to + segment.at;
            if (segment.count == 1) {
                for (int i = 0; i < pixels.count; ++i)
                    y[i * segments.width] = x[pixels.source[i]] * amounts[pixels.destination[i]];
                continue;
            }
            for (int i = 0; i < pixels.count; ++i) {
                const float value = amounts[pixels.destination[i]];
                for (int c = 0; c < segment.count; ++c) y[i * segments.width + c] = x[pixels.source[i] + c] * value;
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

// The adjoint of weigh: what reaches the source of a sample, and what reaches the amounts.
static void unweigh(const Tapwise& t, long sample, const BlockTable& block, const Run& run, long tap,
                    const Segments& segments, const float* from, float* source_gradient) {
    const float* source = t.source + sample * t.source_pixels * t.source_channels;
    for (int first = 0; first < run.count; first += kPixelsTogether, from += kPixelsTogether * segments.width) {
        const Pixels pixels = pixels_from(t, block, run, first);
        for (long s = 0; s < segments.count; ++s) {
            const Segment& segment = segments.all[s];
            const long start = amounts_start(t, sample, block, tap, segment);
            const float *amounts = t.amounts + start, *x = source + segment.channel, *g = from + segment.at;
            float *to_amounts = t.amounts_gradient + start, *to_source = source_gradient + segment.channel;
            if (segment.count == 1) {
                for (int i = 0; i < pixels.count; ++i) {
                    const float flow = g[i * segments.width];
                    to_source[pixels.source[i]] += flow * amounts[pixels.destination[i]];
                    to_amounts[pixels.destination[i]] += flow * x[pixels.source[i]];
                }
                continue;
            }
            for (int i = 0; i < pixels.count; ++i)
                to_amounts[pixels.destination[i]] +=
                    add_and_dot(g + i * segments.width, amounts[pixels.destination[i]], x + pixels.source[i],
                                segment.count, to_source + pixels.source[i]);
        }
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
