/* profile.h — the arithmetic of SOPHON's BM1684, for its emitter and for tests. */
#ifndef ETALON_SOPHON_PROFILE_H
#define ETALON_SOPHON_PROFILE_H

#include "common/profile.h"

extern const struct profile sophon_bm1684_profile;

#endif
