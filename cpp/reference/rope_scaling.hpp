#pragma once

#include <vector>

#include "ropewalk/rope_scaling.hpp"

namespace ropewalk::reference {

struct ScaledRope {
  std::vector<long double> inv_freq;
  long double attention_factor = 1;
  long double softmax_factor = 1;
};

/// Each kind of scaling, as its paper or Hugging Face's modeling_rope_utils has it. `scaling` is taken to be
/// complete and valid.
ScaledRope rope_scaling(const RopeScaling& scaling);

}  // namespace ropewalk::reference
