// Plain tables that a Plan hands to the kernels; no library types, so every instruction set may include this.
#pragma once

namespace dynaconv {

// Destination pixels that meet the same taps. Indices are relative to the block; a source index equal to
// BlockTable::source_count is the zero pixel (padding).
struct Run {
    const int* taps;         // [tap_count], relative to the tap group
    int tap_count;
    const int* source;       // [tap_count][count]
    const int* destination;  // [count]
    int count;
};

struct TapGroup {
    int first_tap, tap_count;
    const Run* runs;
    int run_count;
};

struct BlockTable {
    const int* source_pixels;  // the pixels of the source map that the block reads
    int source_count;
    int first_destination, destination_count;
    const TapGroup* groups;
    int group_count;
};

}  // namespace dynaconv
