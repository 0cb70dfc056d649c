// Banks between PyTorch's layout (K, O, I/groups, kh, kw) and the packed layout of BankShape.
#pragma once
#include "problem.h"

namespace dynaconv {

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed);

// The inverse of the forward packing.
void unpack_bank(const Problem& problem, const float* packed, float* bank);

}  // namespace dynaconv
