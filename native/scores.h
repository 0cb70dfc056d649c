// A convolution with few outputs, such as gates that all channels share: channels in lanes, so that outputs are sums over
// lanes, made once all channels are added up, and the weights' gradient needs none.
#pragma once
#include "channels.h"
#include "scores_pass.h"

namespace dynaconv {
namespace DYNACONV_ISA {

constexpr int kOutputsTogether = 3;
constexpr int kPlacesTogether = kAccumulators / kOutputsTogether;
constexpr int kTapsTogether = kAccumulators / 4;

// One item: some channels of some samples. Padded maps have `pitch` numbers in a row; a tap stands for a step in them.
struct ScoreItem {
    const ScorePass& p;
    const ScoreProblem& s;
    Channels layout;
    long part, first_sample, next_sample, first, next;
    float *image, *padded, *sums, *weights;

    ScoreItem(const ScorePass& pass, long index) : p(pass), s(pass.problem) {
        const long group = index / p.parts, blocks = ceil_div(s.channels, kLanes);
        layout = {s.channels, s.pixels(), s.channels_last != 0};
        part = index % p.parts;
        first_sample = s.samples * group / p.sample_groups;
        next_sample = s.samples * (group + 1) / p.sample_groups;
        first = blocks * part / p.parts * kLanes;
        next = least(blocks * (part + 1) / p.parts * kLanes, s.channels);
        image = scratch(kSource, s.pixels() * kLanes);
        padded = scratch(kAccumulator, s.padded() * kLanes);
        sums = scratch(kKernel, most(s.outputs * s.height * s.pitch() * kLanes, s.outputs * s.padded()));
        weights = scratch(kBank, weights_of(next) - weights_of(first));
    }

    long count(long channel) const { return least(kLanes, next - channel); }
    long step(long tap) const { return tap / s.kernel * s.pitch() + tap % s.kernel; }
    // Of the block of channels, [output][tap][lane].
    long weights_of(long channel) const { return ceil_div(channel, kLanes) * s.outputs * s.taps() * kLanes; }
    float* block(long channel) const { return weights + weights_of(channel) - weights_of(first); }
    // Calls each(output, tap, lane, place among the weights).
    template <class Each>
    void each_weight(long channel, const Each& each) const {
        for (long o = 0; o < s.outputs; ++o)
            for (long t = 0; t < s.taps(); ++t)
                for (long i = 0; i < kLanes; ++i) each((o * s.taps() + t) * kLanes + i, i, (o * s.channels + channel + i) * s.taps() + t);
    }

    void pack() const {
        for (long channel = first; channel < next; channel += kLanes)
            each_weight(channel, [&](long to, long lane, long from) {
                block(channel)[to] = lane < count(channel) ? p.weights[from] : 0;
            });
    }

    // A block of channels with zeros around them.
    void read_padded(long sample, long channel) const {
        read_channels(layout, p.x + layout.start(sample, channel), count(channel), image);
        clear(padded, s.padded() * kLanes);
        const long corner = s.kernel / 2 * (s.pitch() + 1);
        for (long row = 0; row < s.height; ++row)
            __builtin_memcpy(padded + (corner + row * s.pitch()) * kLanes, image + row * s.width * kLanes,
                             s.width * kLanes * sizeof(float));
    }
};

// Adds to the sums of O outputs at J places of padded maps.
template <int O, int J>
static inline void score_tile(const ScoreItem& item, const float* weights, long place, float* sums, long step) {
    Vector total[O][J];
    for (int o = 0; o < O; ++o)
        for (int j = 0; j < J; ++j) total[o][j] = load(sums + o * step + (place + j) * kLanes);
    const long taps = item.s.taps();
    for (long t = 0; t < taps; ++t) {
        const float* from = item.padded + (place + item.step(t)) * kLanes;
        Vector w[O];
        for (int o = 0; o < O; ++o) w[o] = load(weights + (o * taps + t) * kLanes);
        for (int j = 0; j < J; ++j) {
            const Vector v = load(from + j * kLanes);
            for (int o = 0; o < O; ++o) total[o][j] += w[o] * v;
        }
    }
    for (int o = 0; o < O; ++o)
        for (int j = 0; j < J; ++j) store(sums + o * step + (place + j) * kLanes, total[o][j]);
}

template <int O, int J = kPlacesTogether>
static void add_scores(const ScoreItem& item, const float* weights, long place, float* sums) {
    const long places = item.s.height * item.s.pitch();
    for (; place + J <= places; place += J) score_tile<O, J>(item, weights, place, sums, places * kLanes);
    if constexpr (J > 1) add_scores<O, J / 2>(item, weights, place, sums);
}

// Calls run.template with<O>(first) for all outputs, some at once.
template <class Run>
static inline void by_outputs(long outputs, const Run& run) {
    long o = 0;
    for (; o + 3 <= outputs; o += 3) run.template with<3>(o);
    if (outputs - o == 2) run.template with<2>(o);
    if (outputs - o == 1) run.template with<1>(o);
}

struct SumScores {
    const ScoreItem& item;
    const float* weights;

    template <int O>
    void with(long output) const {
        const long map = item.s.height * item.s.pitch() * kLanes;
        add_scores<O>(item, weights + output * item.s.taps() * kLanes, 0, item.sums + output * map);
    }
};

static void score_item(void* context, long index) {
    const ScoreItem item(*static_cast<const ScorePass*>(context), index);
    const ScoreProblem& s = item.s;
    const long places = s.height * s.pitch();
    float* totals = scratch(kTile, places);
    item.pack();
    for (long sample = item.first_sample; sample < item.next_sample; ++sample) {
        clear(item.sums, s.outputs * places * kLanes);
        for (long channel = item.first; channel < item.next; channel += kLanes) {
            item.read_padded(sample, channel);
            by_outputs(s.outputs, SumScores{item, item.block(channel)});
        }
        float* to = item.p.scores + (sample * item.p.parts + item.part) * s.outputs * s.pixels();
        for (long o = 0; o < s.outputs; ++o) {
            clear(totals, places);
            add_lanes(item.sums + o * places * kLanes, places, totals);
            for (long row = 0; row < s.height; ++row, to += s.width)
                __builtin_memcpy(to, totals + row * s.pitch(), s.width * sizeof(float));
        }
    }
}

// The gradient of J pixels of a row; taps are turned over.
template <int J>
static inline void flow_tile(const ScoreItem& item, const float* weights, const float* gradient, float* to) {
    const ScoreProblem& s = item.s;
    const long taps = s.taps();
    Vector total[J];
    for (int j = 0; j < J; ++j) total[j] = Vector{};
    for (long o = 0; o < s.outputs; ++o, gradient += s.padded())
        for (long t = 0; t < taps; ++t) {
            const Vector w = load(weights + (o * taps + taps - 1 - t) * kLanes);
            const float* from = gradient + item.step(t);
            for (int j = 0; j < J; ++j) total[j] += w * from[j];
        }
    for (int j = 0; j < J; ++j) store(to + j * kLanes, total[j]);
}

template <int J = kPlacesTogether>
static void flow_row(const ScoreItem& item, const float* weights, const float* gradient, long column, float* to) {
    for (; column + J <= item.s.width; column += J)
        flow_tile<J>(item, weights, gradient + column, to + column * kLanes);
    if constexpr (J > 1) flow_row<J / 2>(item, weights, gradient, column, to);
}

// Adds the gradient of the weights of O outputs at T taps.
template <int O, int T>
static inline void weight_tile(const ScoreItem& item, const float* gradient, long tap, float* to) {
    const ScoreProblem& s = item.s;
    const long places = s.height * s.pitch(), map = s.padded(), taps = s.taps();
    Vector total[O][T];
    const float* from[T];
    for (int t = 0; t < T; ++t) from[t] = item.padded + item.step(tap + t) * kLanes;
    for (int o = 0; o < O; ++o)
        for (int t = 0; t < T; ++t) total[o][t] = Vector{};
    for (long n = 0; n < places; ++n)
        for (int t = 0; t < T; ++t) {
            const Vector v = load(from[t] + n * kLanes);
            for (int o = 0; o < O; ++o) total[o][t] += v * gradient[o * map + n];
        }
    for (int o = 0; o < O; ++o)
        for (int t = 0; t < T; ++t) {
            float* at = to + (o * taps + tap + t) * kLanes;
            store(at, load(at) + total[o][t]);
        }
}

template <int O, int T = kTapsTogether>
static void add_weight_gradient(const ScoreItem& item, const float* gradient, long tap, float* to) {
    for (; tap + T <= item.s.taps(); tap += T) weight_tile<O, T>(item, gradient, tap, to);
    if constexpr (T > 1)
        if (tap < item.s.taps()) add_weight_gradient<O, T - 1>(item, gradient, tap, to);
}

struct SumWeights {
    const ScoreItem& item;
    float* to;

    template <int O>
    void with(long output) const {
        const ScoreProblem& s = item.s;
        // Its middle: at the pixels themselves, zero beside the map.
        const float* gradient = item.sums + output * s.padded() + s.kernel / 2 * (s.pitch() + 1);
        add_weight_gradient<O>(item, gradient, 0, to + output * s.taps() * kLanes);
    }
};

// The scores' gradient of a sample with zeros around it.
static void pad_gradient(const ScoreItem& item, long sample) {
    const ScoreProblem& s = item.s;
    clear(item.sums, s.outputs * s.padded());
    const float* from = item.p.gradient + sample * s.outputs * s.pixels();
    for (long o = 0; o < s.outputs; ++o) {
        float* to = item.sums + o * s.padded() + s.kernel / 2 * (s.pitch() + 1);
        for (long row = 0; row < s.height; ++row, from += s.width, to += s.pitch())
            __builtin_memcpy(to, from, s.width * sizeof(float));
    }
}

static void score_gradient_item(void* context, long index) {
    const ScoreItem item(*static_cast<const ScorePass*>(context), index);
    const ScoreProblem& s = item.s;
    const long block_size = s.outputs * s.taps() * kLanes;
    float* totals = scratch(kSmall, item.weights_of(item.next) - item.weights_of(item.first));
    clear(totals, item.weights_of(item.next) - item.weights_of(item.first));
    item.pack();
    for (long sample = item.first_sample; sample < item.next_sample; ++sample) {
        pad_gradient(item, sample);
        float* to = totals;
        for (long channel = item.first; channel < item.next; channel += kLanes, to += block_size) {
            item.read_padded(sample, channel);
            by_outputs(s.outputs, SumWeights{item, to});
            for (long row = 0; row < s.height; ++row)
                flow_row(item, item.block(channel), item.sums + row * s.pitch(), 0, item.image + row * s.width * kLanes);
            write_channels(item.layout, item.image, item.count(channel), item.p.to_x + item.layout.start(sample, channel));
        }
    }
    const float* from = totals;
    float* to_weights = item.p.to_weights + index / item.p.parts * s.outputs * s.channels * s.taps();
    for (long channel = item.first; channel < item.next; channel += kLanes, from += block_size)
        item.each_weight(channel, [&](long at, long lane, long to) {
            if (lane < item.count(channel)) to_weights[to] = from[at];
        });
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
