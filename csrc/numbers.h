// In which numbers a build of the kernels computes. Sums, states and what is not named here are
// float32 in all of them.
#pragma once

#include <cstdint>

namespace elman {

struct bf16 {  // the upper half of a float32
    uint16_t bits;
};
struct fp16 {  // IEEE's half precision
    uint16_t bits;
};

struct Single {
    using Operand = float;  // of products
    using Saved = float;    // gates, kept for backward
};

// A gate lies between -1 and 1, where fp16 has eight times the precision of bf16.
struct Half {
    using Operand = bf16;
    using Saved = fp16;
};

}  // namespace elman
