// What a policy sees, as a picture for people: the stack's frames side by side, the oldest at the
// left, and for an encoder with attention (ViT) the newest frame once more, lit where the last
// block's class token looks more than it does on average (mean over its heads).
#pragma once

#include "train/policy.h"

// {height, width} of the picture; {0, 0} for a policy that sees no pixels.
void policy_picture_dim(const struct policy *policy, int dim[2]);
// rgb (height, width, 3), of what was last observed. May run the encoder.
void policy_picture(struct policy *policy, uint8_t *rgb);
