/* gray.c — colour to one channel, by ITU-R BT.601 luma in the integers of a library: PIL's are in 2^-16, OpenCV's (4.x,
 * cvtColor) in 2^-15.
 */
#include "worker/preprocess/steps.h"

const struct luma luma_pil = {19595, 38470, 7471, 16};

static const struct luma lumas[] = {[GRAY_PIL] = {19595, 38470, 7471, 16}, [GRAY_OPENCV] = {9798, 19235, 3735, 15}};

static void compute_bytes(const struct picture *from, uint8_t *to, const struct lane lanes[3], struct luma luma)
{
    const uint8_t *x = from->data;

    for (size_t i = 0, n = from->height * from->width; i < n; i++)
        to[i] = (uint8_t)((luma.r * x[lanes[0].first + i * lanes[0].stride] +
                           luma.g * x[lanes[1].first + i * lanes[1].stride] +
                           luma.b * x[lanes[2].first + i * lanes[2].stride] + (1u << (luma.bits - 1))) >>
                          luma.bits);
}

static void compute_floats(const struct picture *from, float *to, const struct lane lanes[3], struct luma luma)
{
    const float *x = from->data, r = (float)luma.r, g = (float)luma.g, b = (float)luma.b;

    for (size_t i = 0, n = from->height * from->width; i < n; i++)
        to[i] = (r * x[lanes[0].first + i * lanes[0].stride] + g * x[lanes[1].first + i * lanes[1].stride] +
                 b * x[lanes[2].first + i * lanes[2].stride]) /
                (float)(1u << luma.bits);
}

int gray_apply_luma(struct picture *picture, struct luma luma, struct error *err)
{
    struct picture from = *picture;
    struct lane lanes[3];
    void *to;

    if (from.order == PIXELS_GRAY)
        return 0;
    if (from.order == PIXELS_NONE)
        return error_set(err, EX_DATAERR, "expected an image of 1 or 3 channels, found a tensor of %zux%zux%zu",
                         picture_channels(&from), from.height, from.width);
    for (size_t c = 0; c < 3; c++)
        lanes[c] = picture_lane(&from, from.order == PIXELS_RGB ? c : 2 - c);
    to = picture_renew(picture, 1, from.height, from.width, 1, from.is_float, err);
    if (to == NULL)
        return -1;
    picture->order = PIXELS_GRAY;
    if (from.is_float)
        compute_floats(&from, to, lanes, luma);
    else
        compute_bytes(&from, to, lanes, luma);
    return 0;
}

static int gray_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (step->gray > GRAY_OPENCV)
        return error_set(err, EX_CONFIG, "unknown formula %d", (int)step->gray);
    shape->channels = 1;
    return 0;
}

static int gray_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    return gray_apply_luma(picture, lumas[step->gray], err);
}

const struct preprocess_op preprocess_gray = {"gray", gray_check, gray_apply, NULL, true};
