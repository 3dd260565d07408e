/* channels.c — the channel order the network wants: rgb, bgr or gray. Gray pixels become three equal channels; colour
 * becomes gray by ITU-R BT.601 luma in PIL's integers.
 */
#include "worker/preprocess/steps.h"

#include <string.h>

static const enum pixel_order order_of[] = {
    [CHANNELS_RGB] = PIXELS_RGB,
    [CHANNELS_BGR] = PIXELS_BGR,
    [CHANNELS_GRAY] = PIXELS_GRAY,
};

static int channels_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (step->channels > CHANNELS_GRAY)
        return error_set(err, EX_CONFIG, "expected rgb, bgr or gray");
    shape->channels = step->channels == CHANNELS_GRAY ? 1 : 3;
    return 0;
}

/* Where pixel i of channel c lies, and how far apart its neighbours: the same code for both layouts. */
struct lane {
    size_t first, stride;
};

static struct lane lane_of(const struct picture *picture, size_t c)
{
    if (picture->interleave == 1)
        return (struct lane){c * picture->height * picture->width, 1};
    return (struct lane){c, picture->interleave};
}

/* Channel `c_to` of `to` becomes channel `c_from` of `from`. */
static void copy_channel(const struct picture *from, size_t c_from, const struct picture *picture, void *to,
                         size_t c_to)
{
    struct lane source = lane_of(from, c_from), target = lane_of(picture, c_to);

    for (size_t i = 0, n = from->height * from->width; i < n; i++)
        if (from->is_float)
            ((float *)to)[target.first + i * target.stride] =
                ((const float *)from->data)[source.first + i * source.stride];
        else
            ((uint8_t *)to)[target.first + i * target.stride] =
                ((const uint8_t *)from->data)[source.first + i * source.stride];
}

/* Luma weights in 2^-16: 0.299, 0.587, 0.114, summing to one. On floats the same weights, unrounded result. */
static void compute_luma(const struct picture *from, void *to)
{
    struct lane r = lane_of(from, from->order == PIXELS_RGB ? 0 : 2), g = lane_of(from, 1),
                b = lane_of(from, from->order == PIXELS_RGB ? 2 : 0);

    for (size_t i = 0, n = from->height * from->width; i < n; i++) {
        if (from->is_float) {
            const float *x = from->data;

            ((float *)to)[i] = (19595.0f * x[r.first + i * r.stride] + 38470.0f * x[g.first + i * g.stride] +
                                7471.0f * x[b.first + i * b.stride]) *
                               0x1p-16f;
        } else {
            const uint8_t *x = from->data;

            ((uint8_t *)to)[i] = (uint8_t)((19595u * x[r.first + i * r.stride] + 38470u * x[g.first + i * g.stride] +
                                            7471u * x[b.first + i * b.stride] + 0x8000u) >>
                                           16);
        }
    }
}

static int channels_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    enum pixel_order order = order_of[step->channels];
    size_t channels = order == PIXELS_GRAY ? 1 : 3;
    bool is_interleaved = from.planes == 1 && order != PIXELS_GRAY;
    void *to;

    if (from.order == order)
        return 0;
    if (from.order == PIXELS_NONE)
        return error_set(err, EX_DATAERR, "expected an image of 1 or 3 channels, found a tensor of %zux%zux%zu",
                         picture_channels(&from), from.height, from.width);
    to = picture_renew(picture, is_interleaved ? 1 : channels, from.height, from.width, is_interleaved ? channels : 1,
                       from.is_float, err);
    if (to == NULL)
        return -1;
    picture->order = order;
    if (order == PIXELS_GRAY) {
        compute_luma(&from, to);
        return 0;
    }
    for (size_t c = 0; c < 3; c++)
        copy_channel(&from, from.order == PIXELS_GRAY ? 0 : 2 - c, picture, to, c);
    return 0;
}

const struct preprocess_op preprocess_channels = {"channels", channels_check, channels_apply, NULL};
