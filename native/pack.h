// Banks from PyTorch's layout (K, O, I/groups, kh, kw) into the packed layout of BankShape.
#pragma once
#include "problem.h"

namespace dynaconv {

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed);

}  // namespace dynaconv
