// Threads and scratch memory shared by all passes.
#pragma once

namespace dynaconv {

using Body = void (*)(void* context, long index);

// Calls body(context, i) for every i below count on at most `threads` threads. It borrows PyTorch's own OpenMP pool
// where one is loaded, because two pools on the same cores slow each other down.
void parallel_for(long threads, long count, Body body, void* context);

enum Scratch { kSource, kAccumulator, kKernel, kBank, kTile, kSmall, kScratchCount };

// This thread's scratch, at least `floats` long, 64-byte aligned, not initialised; kept until the thread ends.
float* scratch(Scratch which, long floats);

// Asks for large pages under a large result that is about to be written for the first time: touching a new bank
// gradient page by page costs as much as computing it.
void expect_writes(void* data, long bytes);

}  // namespace dynaconv
