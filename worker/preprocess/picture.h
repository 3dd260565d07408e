/* picture.h — pixels on their way through the steps, in whatever layout the record had.
 *
 *   element (plane, y, x, i) is data[((plane * height + y) * width + x) * interleave + i]
 *
 * Decoded images are one plane of interleaved channels (HWC), datums and tensors planes with interleave 1 (CHW), so
 * that geometry has one form for both: channels = planes * interleave, and one of the two is 1.
 */
#ifndef ETALON_PICTURE_H
#define ETALON_PICTURE_H

#include "formats/record.h"

/* Memory for results: a step reads what one buffer holds and writes the other. Grows to the largest, then stays. */
struct picture_scratch {
    void *memory[2];
    size_t capacity[2]; /* bytes */
};
void picture_scratch_fini(struct picture_scratch *scratch);

struct picture {
    size_t planes, height, width, interleave;
    enum pixel_order order;
    bool is_float;    /* else uint8 */
    const void *data; /* the record's, or in the scratch */
    struct picture_scratch *scratch;
    int slot; /* which of the two holds data; -1: neither */
};

/* Looks at the record's pixels without copying; valid until the record is read again. */
void picture_from_record(struct picture *picture, const struct record *record, struct picture_scratch *scratch);

static inline size_t picture_channels(const struct picture *picture)
{
    return picture->planes * picture->interleave;
}

/* Where pixel i of channel c lies (first + i * stride): the same code for both layouts. */
struct lane {
    size_t first, stride;
};
static inline struct lane picture_lane(const struct picture *picture, size_t c)
{
    return picture->interleave == 1 ? (struct lane){c * picture->height * picture->width, 1}
                                    : (struct lane){c, picture->interleave};
}

/* EX_DATAERR: beyond a record's limits. */
int picture_check_size(size_t channels, size_t height, size_t width, struct error *err);
/* Makes *picture one of the given dims, and returns its memory for writing, of unspecified content. A copy of *picture
 * made before still shows the old pixels, until the next call. NULL with EX_DATAERR beyond a record's limits, or
 * EX_OSERR. */
void *picture_renew(struct picture *picture, size_t planes, size_t height, size_t width, size_t interleave,
                    bool is_float, struct error *err);

/* out[channels * height * width], CHW, as float. */
void picture_copy_planar(const struct picture *picture, float *out);
/* The same within the scratch: *picture becomes planar floats, and the return value is its memory. NULL as above. */
float *picture_make_planar_float(struct picture *picture, struct error *err);

#endif
