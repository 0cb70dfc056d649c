// Which source pixel meets which destination pixel under which tap, as tables of compact indices.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "passes.h"
#include "tables.h"

namespace dynaconv {

enum class Direction { kForward, kInputGradient };

class Plan {
  public:
    struct Cut {
        long block_pixels;   // the most destination pixels of a block
        long taps_together;  // taps of a group
        long run_pixels;     // the most pixels of a run, one tap each; 0: runs of all pixels and all taps of the group
    };
    Plan(const Problem& problem, Direction direction, const Cut& cut);
    const BlockTable* blocks() const { return blocks_.data(); }
    long block_count() const { return static_cast<long>(blocks_.size()); }
    long largest_source() const;
    long largest_destination() const;

  private:
    struct Geometry;
    void add_block(const Geometry& geometry, long first, long count);
    void add_runs(const Geometry& geometry, BlockTable& block, long first_tap, long tap_count);
    void add_single_tap(const Geometry& geometry, const BlockTable& block, long first_tap, int tap, long first_pixel,
                        long pixels, std::vector<Run>& runs);
    void add_classes(const Geometry& geometry, const BlockTable& block, long first_tap, long tap_count,
                     std::vector<Run>& runs);
    const int* keep(std::vector<int> values);

    Cut cut_;
    std::vector<BlockTable> blocks_;
    std::vector<int> compact_;  // source pixel -> its place in the block being built
    std::deque<std::vector<int>> integers_;
    std::deque<std::vector<Run>> runs_;
    std::deque<std::vector<TapGroup>> groups_;
};

// The plan for a problem, from a small cache: layers ask for the same one again and again.
std::shared_ptr<const Plan> find_plan(const Problem& problem, Direction direction, const Plan::Cut& cut);

// The sizes of a pass's maps, the bank's shape, and the plan's tables, which have to live as long.
void set_maps(Convolution& c, const Problem& p, Direction direction, const Plan& plan);

}  // namespace dynaconv
