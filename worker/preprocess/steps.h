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
    bool changes_channels; /* so that nothing is known of them before it */
};

extern const struct preprocess_op preprocess_resize, preprocess_crop, preprocess_channels, preprocess_mean,
    preprocess_scale, preprocess_divide, preprocess_mean_file, preprocess_crop_fraction, preprocess_pad,
    preprocess_gray, preprocess_standardize, preprocess_transpose, preprocess_yuv, preprocess_quantize;

enum { STEP_MAX_SIDE = 1 << 16 }; /* a typing error in a size is caught before it costs gigabytes */

/* For the checks of steps with values: their number, and that all are finite. */
int step_check_values(const struct preprocess_step *step, struct step_shape *shape, struct error *err);
/* The value of channel c. */
static inline float step_value(const struct preprocess_step *step, size_t c)
{
    return step->values[step->n_values == 1 ? 0 : c];
}

/* What a step that crops keeps of a height x width picture, within it. EX_DATAERR: it is too small. */
typedef int window_function(const struct preprocess_step *step, size_t height, size_t width, struct rectangle *window,
                            struct error *err);
window_function crop_find_window, crop_fraction_find_window;
/* *picture becomes the window of it; crop.c. */
int crop_window(struct picture *picture, const struct rectangle *window, struct error *err);
/* *picture becomes height x width, at least its own size, with its pixels at (top, left) and `value` around; pad.c. */
int pad_around(struct picture *picture, size_t top, size_t left, size_t height, size_t width, float value,
               struct error *err);
/* EX_CONFIG: no finite number, or while the pixels may be bytes, none of 0 to 255. */
int pad_check_value(float value, const struct step_shape *shape, struct error *err);
/* Three channels in R, G, B or B, G, R order become one by integer weights in 2^-bits, rounded half up; on floats by
 * the same weights, unrounded; gray.c. EX_DATAERR: a tensor. */
struct luma {
    uint32_t r, g, b, bits;
};
extern const struct luma luma_pil;
int gray_apply_luma(struct picture *picture, struct luma luma, struct error *err);

/* The filters of `resize`: *picture becomes height x width. One file a library, which the word begins with. */
typedef int resize_function(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                            struct error *err);
resize_function resize_pil, resize_nearest, resize_opencv_linear, resize_opencv_area, resize_opencv_taps, resize_stb;
/* The same bits as resize_pil and then crop_window, without computing those outside. */
int resize_pil_window(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                      const struct rectangle *window, struct error *err);
/* What of an in_height x in_width picture it looks at. */
struct rectangle resize_pil_source(enum resize_filter filter, size_t in_height, size_t in_width, size_t height,
                                   size_t width, const struct rectangle *window);

/* The size that `resize` gives an in_height x in_width picture, without the border of FIT_SIDE_PAD. */
void resize_find_size(const struct preprocess_step *step, size_t in_height, size_t in_width, size_t *height,
                      size_t *width);
/* What of an in_height x in_width picture resize_to_window looks at. */
struct rectangle resize_find_source(const struct preprocess_step *step, size_t in_height, size_t in_width,
                                    size_t height, size_t width, const struct rectangle *window);
/* Resizes to height x width and keeps the window. */
int resize_to_window(const struct preprocess_step *step, struct picture *picture, size_t height, size_t width,
                     const struct rectangle *window, struct error *err);

#endif
