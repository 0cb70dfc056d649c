// What one pass works on, in plain data: filled by interface.cpp and tapwise.cpp, run by the kernels of each instruction set.
#pragma once
#include "bands_pass.h"
#include "field_pass.h"
#include "parallel.h"
#include "problem.h"
#include "scores_pass.h"
#include "storage.h"
#include "tables.h"

namespace dynaconv {

constexpr long kMostCellTaps = 128;

// Cells that kernels are put together from, packed for one direction: floats [column block of a cell][row of a cell]
// [cell][column of the block]. A kernel is row_cells x column_cells of them in every tap. Where there are several side by
// side, a cell's columns are whole column blocks.
struct CellBank {
    long cells, rows, columns;  // of one cell
    long row_cells, column_cells;
    bool transposed;        // rows are outputs
    const float* packed;    // or null: there are no cells
    const float* mixtures;  // [sample][tap][cells along the outputs][cells along the inputs][cell]
    const float* packed_row(long column_block, long row, long width) const {
        return packed + cells * (kColumnBlock * rows * column_block + row * width);
    }
    long mixture_of(long taps, long sample, long row_cell, long column_cell) const {
        const long outputs = transposed ? row_cells : column_cells, inputs = transposed ? column_cells : row_cells;
        const long output = transposed ? row_cell : column_cell, input = transposed ? column_cell : row_cell;
        return ((sample * taps * outputs + output) * inputs + input) * cells;
    }
};

// destination = source * (sum over experts of coefficient x bank), channels last on both sides.
struct Convolution {
    BankShape bank_shape;
    long samples;
    long source_pixels, source_channels;
    long destination_pixels, destination_channels;
    Map source;                      // [samples][source_pixels][source_channels]
    const float* bank;               // packed, see BankShape, or in the plain layout; or null
    bool plain_bank;                 // in the plain layout
    const float* kernels;            // where there is no bank: the samples' own, in the plain layout
    bool transposed;                 // inputs of what is in the plain layout are the destination's channels
    CellBank cells;                  // where there is neither: what the kernels are mixed from
    const float* coefficients;       // [samples][experts][taps]
    const float* source_scale;       // [samples][source_channels] or null
    const float* destination_scale;  // [samples][destination_channels] or null
    const float* bias;               // [samples][destination_channels] or null
    Map destination;                 // [samples][destination_pixels][destination_channels]
    Map partner;                     // as destination, or null: dotted with the unscaled result into dots
    float* dots;                     // [blocks][samples][destination_channels]
    const BlockTable* blocks;
    long block_count, largest_source, largest_destination;
    long row_chunk;      // rows of the bank assembled at a time
    long sample_block;   // samples that one item works through while bank rows stay in cache
    long sample_group;   // samples assembled together, at most 4
    long most_taps;      // taps of the largest tap group
    long items() const {
        return bank_shape.groups * bank_shape.column_blocks() * block_count * ceil_div(samples, sample_block);
    }
};

// Gradients of the bank and of the coefficients. A slice is one block of pixels of one sample.
struct Gradient {
    BankShape bank_shape;
    long samples;
    long source_pixels, destination_pixels;
    long source_channels, destination_channels;
    Map source;                      // [samples][source_pixels][source_channels]
    Map gradient;                    // [samples][destination_pixels][destination_channels]
    const float* bank;               // in the plain layout
    const float* coefficients;       // [samples][experts][taps]
    const float* source_scale;       // [samples][source_channels] or null
    const float* destination_scale;  // [samples][destination_channels] or null
    float* bank_gradient;            // plain layout, with a kernel per expert or, where there is no bank, per sample
    float* coefficient_parts;        // [items][samples][experts][taps]
    float* scale_parts;              // [groups][row ranges][samples][padded columns], or null
    const BlockTable* blocks;
    long block_count, largest_source, largest_destination;
    long row_range;      // rows of the bank that one item covers
    long slice_block;    // slices packed at a time
    CellBank cells;      // where kernels are mixed from cells: bank_gradient is theirs, coefficient_parts the mixtures'
    long bands;          // of the cells' rows, each an item
    long row_ranges() const { return ceil_div(bank_shape.rows, row_range); }
    long items() const { return bank_shape.groups * bank_shape.column_blocks() * row_ranges(); }
};

// A convolution whose taps are weighted at every destination pixel. Amounts are those weights.
struct Tapwise {
    BankShape shape;  // of one expert; transposed for the gradients of source and amounts
    long samples, amount_groups;
    long source_pixels, destination_pixels;
    long source_channels, destination_channels;
    const float* source;       // [samples][source_pixels][source_channels]
    const float* amounts;      // [samples][amount_groups][taps][destination_pixels]
    const float* weights;      // packed, see BankShape
    const float* gradient;     // [samples][destination_pixels][destination_channels]
    float* destination;        // [samples][destination_pixels][destination_channels]
    float* source_gradients;   // [bands][samples][source_pixels][source_channels]
    float* amounts_gradient;   // as amounts
    float* weight_gradients;   // [bands] in the plain layout
    const BlockTable* blocks;  // of destination pixels, one tap in a group
    long block_count, largest_destination;
    long row_chunk;   // rows weighted at a time; for the weight gradient, rows of an item
    long columns_at;  // column blocks of an item
    long bands;       // parts of the work that are summed afterwards
    long column_parts() const { return ceil_div(shape.column_blocks(), columns_at); }
    long row_ranges() const { return ceil_div(shape.rows, row_chunk); }
    long forward_items() const { return shape.groups * column_parts() * block_count * samples; }
    long source_items() const { return samples * bands; }
    long weight_items() const { return shape.groups * shape.column_blocks() * row_ranges() * bands; }
};

// A bank from PyTorch's layout into the packed one.
struct Packing {
    BankShape shape;
    const float* from;
    float* to;
    bool transposed;

    static constexpr long kRows = 32;

    long runs() const { return ceil_div(shape.rows, kRows); }
    long items() const { return shape.experts * shape.groups * shape.column_blocks() * runs(); }
};

// Cells from PyTorch's layout (N, o, i) into that of CellBank.
struct CellPacking {
    CellBank cells;
    const float* from;
    float* to;

    long runs() const { return ceil_div(cells.rows, Packing::kRows); }
    long items() const { return ceil_div(cells.columns, kColumnBlock) * runs(); }
};

struct Kernels {
    const char* name;
    int lanes;                     // floats of a register
    Body pack;                     // context: const Packing*, index below items()
    Body pack_cells;               // context: const CellPacking*, index below items()
    Body convolve;                 // context: const Convolution*, index below items()
    Body bank_gradient;            // context: const Gradient*, index below items()
    Body dense_gradient;           // context: const Gradient*, index below samples x items()
    Body cell_gradient;            // context: const Gradient*, index below cells' column blocks x bands
    Body tapwise_forward;          // context: const Tapwise*, index below forward_items()
    Body tapwise_source_gradient;  // index below source_items(); gives the amounts' gradient too
    Body tapwise_weight_gradient;  // index below weight_items()
    Body field_forward;            // context: const FieldPass*, index below groups
    Body field_greatest;           // index below runs()
    Body field_backward;           // index below groups
    Body spectrum_waves;           // context: const SpectrumPass*, index below samples x wave tiles
    Body spectrum_convolve;        // index below samples x column blocks
    Body spectrum_back;            // index below samples x bands
    Body spectrum_wave_gradient;   // index below wave tiles
    Body band_forward;             // context: const BandPass*, index below items()
    Body band_backward;            // index below items()
    Body scores;                   // context: const ScorePass*, index below items()
    Body score_gradient;           // index below items()
};

}  // namespace dynaconv
