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

/* Channel `c_to` of `to` becomes channel `c_from` of `from`. */
static void copy_channel(const struct picture *from, size_t c_from, const struct picture *picture, void *to,
                         size_t c_to)
{
    struct lane source = picture_lane(from, c_from), target = picture_lane(picture, c_to);

    for (size_t i = 0, n = from->height * from->width; i < n; i++)
        if (from->is_float)
            ((float *)to)[target.first + i * target.stride] =
                ((const float *)from->data)[source.first + i * source.stride];
        else
            ((uint8_t *)to)[target.first + i * target.stride] =
                ((const uint8_t *)from->data)[source.first + i * source.stride];
}

static int channels_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    enum pixel_order order = order_of[step->channels];
    bool is_interleaved = from.planes == 1;
    void *to;

    if (from.order == order)
        return 0;
    if (from.order == PIXELS_NONE)
        return error_set(err, EX_DATAERR, "expected an image of 1 or 3 channels, found a tensor of %zux%zux%zu",
                         picture_channels(&from), from.height, from.width);
    if (order == PIXELS_GRAY)
        return gray_apply_luma(picture, luma_pil, err);
    to = picture_renew(picture, is_interleaved ? 1 : 3, from.height, from.width, is_interleaved ? 3 : 1, from.is_float,
                       err);
    if (to == NULL)
        return -1;
    picture->order = order;
    for (size_t c = 0; c < 3; c++)
        copy_channel(&from, from.order == PIXELS_GRAY ? 0 : 2 - c, picture, to, c);
    return 0;
}

const struct preprocess_op preprocess_channels = {"channels", channels_check, channels_apply, NULL, true};
