/* pixel_affine.h — a preprocessing chain as the vendors' tools can take it over: a picture of certain colours, and
 * (x - mean) * scale of each channel.
 */
#ifndef ETALON_PIXEL_AFFINE_H
#define ETALON_PIXEL_AFFINE_H

#include "common/preprocess_plan.h"

#include <stdbool.h>

enum pixel_colours { PIXEL_COLOURS_AS_STORED, PIXEL_GRAY, PIXEL_RGB, PIXEL_BGR, PIXEL_YUV444 };
enum { PIXEL_MAX_CHANNELS = 4 };

struct pixel_affine {
    enum pixel_colours colours; /* in front of the numbers; AS_STORED: no step says it */
    double mean[PIXEL_MAX_CHANNELS], scale[PIXEL_MAX_CHANNELS]; /* scale: finite, not 0 */
    bool resamples_reals; /* a resize or pad stands behind a mean or scale: what the numbers are done to is no byte */
};

/* Sizes and places of pixels are passed over. `channels`: of the network's input. NULL on success, else why no tool can
 * do it, a clause with the step's name; a constant. A chain of `presets` is expanded beforehand. */
const char *pixel_affine_read(const struct preprocess_plan *chain, size_t channels, struct pixel_affine *out);

/* Mean, scale, divide: what the numbers come from. */
bool pixel_affine_is_number(enum step_kind kind);

#endif
