/* transpose.c — the order of the axes, for networks and tensors with channels last.
 *
 * hwc: a picture of C x H x W becomes the tensor H x W x C, whose three dims count as channels, height and width from
 * then on. chw is the way back: H x W x C becomes a picture of C channels; one is gray, three are R, G, B.
 */
#include "worker/preprocess/steps.h"

#include <string.h>

static int transpose_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    struct step_shape was = *shape;

    if (step->axes > AXES_HWC)
        return error_set(err, EX_CONFIG, "unknown order of axes %d", (int)step->axes);
    if (step->axes == AXES_HWC) {
        shape->channels = was.height;
        shape->height = was.width;
        shape->width = was.channels;
    } else {
        shape->channels = was.width;
        shape->height = was.channels;
        shape->width = was.height;
    }
    return 0;
}

/* to[j][i] = from[i][j], i < rows, j < columns. */
static void transpose_elements(const void *from, void *to, size_t rows, size_t columns, bool is_float)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            if (is_float)
                ((float *)to)[j * rows + i] = ((const float *)from)[i * columns + j];
            else
                ((uint8_t *)to)[j * rows + i] = ((const uint8_t *)from)[i * columns + j];
}

static int transpose_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    size_t channels = picture_channels(&from), pixels = from.height * from.width;
    bool is_planar = from.interleave == 1, to_hwc = step->axes == AXES_HWC;
    void *to;

    if (!to_hwc && !is_planar)
        return error_set(err, EX_DATAERR, "expected a tensor, found an image");
    to = to_hwc ? picture_renew(picture, from.height, from.width, channels, 1, from.is_float, err)
                : picture_renew(picture, from.width, channels, from.height, 1, from.is_float, err);

    if (to == NULL)
        return -1;
    picture->order = to_hwc                           ? PIXELS_NONE
                     : picture_channels(picture) == 1 ? PIXELS_GRAY
                     : picture_channels(picture) == 3 ? PIXELS_RGB
                                                      : PIXELS_NONE;
    if (!is_planar)
        memcpy(to, from.data, channels * pixels * (from.is_float ? sizeof(float) : 1));
    else if (to_hwc)
        transpose_elements(from.data, to, channels, pixels, from.is_float);
    else
        transpose_elements(from.data, to, channels * from.height, from.width, from.is_float);
    return 0;
}

const struct preprocess_op preprocess_transpose = {"transpose", transpose_check, transpose_apply, NULL, true};
