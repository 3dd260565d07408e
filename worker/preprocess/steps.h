/* steps.h — the operations of a preprocessing chain, one a file: the table is in preprocess.c.
 *
 * Geometry and channel steps turn one picture into another and run on uint8 while the pixels are uint8. Arithmetic
 * steps turn floats into floats in place, so that a run of them at the end of a chain works directly in the network's
 * input.
 */
#ifndef ETALON_PREPROCESS_STEPS_H
#define ETALON_PREPROCESS_STEPS_H

#include "common/preprocess_plan.h"
#include "worker/preprocess/picture.h"

/* What is known of the pixels before a step, without having seen any; 0: not known. */
struct step_shape {
    size_t channels, height, width;
    bool is_float; /* certainly float; else perhaps uint8 */
};

struct preprocess_op {
    const char *name; /* as in the job file, see common/preprocess_steps.h */
    /* EX_CONFIG: values out of range, or impossible on *shape ("expected ..., found ..."). Updates *shape to what is
     * known behind the step. Called once without pixels, and for `compute` with the shape of every record. */
    int (*check)(const struct preprocess_step *step, struct step_shape *shape, struct error *err);
    /* Either of the two is NULL. EX_DATAERR: this record cannot be used; EX_OSERR. */
    int (*apply)(const struct preprocess_step *step, struct picture *picture, struct error *err);
    /* x[channels][height][width] in place, of a shape that `check` has accepted. */
    void (*compute)(const struct preprocess_step *step, float *x, const struct step_shape *shape);
};

extern const struct preprocess_op preprocess_resize, preprocess_crop, preprocess_channels, preprocess_mean,
    preprocess_scale, preprocess_divide, preprocess_mean_file;

enum { STEP_MAX_SIDE = 1 << 16 }; /* a typing error in a size is caught before it costs gigabytes */

/* For the checks of steps with values: their number, and that all are finite. */
int step_check_values(const struct preprocess_step *step, struct step_shape *shape, struct error *err);
/* The value of channel c. */
static inline float step_value(const struct preprocess_step *step, size_t c)
{
    return step->values[step->n_values == 1 ? 0 : c];
}

/* The filters of `resize`: *picture becomes height x width. */
int resize_bilinear(struct picture *picture, size_t height, size_t width, struct error *err);
int resize_nearest(struct picture *picture, size_t height, size_t width, struct error *err);
int resize_opencv_linear(struct picture *picture, size_t height, size_t width, struct error *err);

#endif
