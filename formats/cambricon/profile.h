/* profile.h — the arithmetic of Cambricon's MLU220 and MLU270, for the emitter and for tests.
 *
 * Both chips compute alike; the vendor's workflow yields four models for each: codes of 8 or 16 bits, everything else
 * in half or single precision.
 */
#ifndef ETALON_CAMBRICON_PROFILE_H
#define ETALON_CAMBRICON_PROFILE_H

#include "common/profile.h"

extern const struct profile cambricon_mlu220_profile, /* int8, the rest fp16: what the vendor recommends */
    cambricon_mlu220_fp32_profile, cambricon_mlu220_int16_profile, cambricon_mlu220_int16_fp32_profile,
    cambricon_mlu270_profile, cambricon_mlu270_fp32_profile, cambricon_mlu270_int16_profile,
    cambricon_mlu270_int16_fp32_profile;

#endif
