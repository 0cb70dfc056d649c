// Banks and cells from PyTorch's layout into the packed layouts of BankShape and CellBank.
#pragma once
#include "passes.h"

namespace dynaconv {

// Packs cells (N, o, i), see CellBank; `cells` says their sizes.
void pack_cells(long threads, const CellBank& cells, const float* from, float* packed);

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed);

}  // namespace dynaconv
