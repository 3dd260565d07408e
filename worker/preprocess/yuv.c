/* yuv.c — colour pixels to YUV 4:4:4 or NV12 and back, on bytes: what a camera's pipeline does to a picture before the
 * network sees it.
 *
 * YUV 4:4:4 is three channels Y, U, V. NV12 is one channel of 3/2 H rows: H of Y, then H/2 of U and V side by side for
 * every 2 x 2 pixels. Matrices are ITU-R BT.601 or BT.709 in double precision, rounded half up, chroma of NV12 the mean
 * of its four pixels; `opencv` has the integers of cvtColor: RGB2YUV and YUV2RGB for 4:4:4, and for NV12 those of
 * RGB2YUV_I420 (chroma of the upper left pixel) and YUV2RGB_NV12. On the way back chroma is repeated.
 */
#include "worker/preprocess/steps.h"

#include <math.h>

static uint8_t clip(int64_t x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static uint8_t round_clip(double x)
{
    return clip((int64_t)floor(x + 0.5));
}

/* ---- One pixel by a matrix: Y = kr R + (1 - kr - kb) G + kb B, full range; then into the range */

struct matrix {
    double kr, kb, y_scale, y_zero, chroma_scale;
};

static struct matrix matrix_of(const struct preprocess_step *step)
{
    bool is_full = step->yuv.range == YUV_FULL;
    double kr = step->yuv.matrix == YUV_BT709 ? 0.2126 : 0.299, kb = step->yuv.matrix == YUV_BT709 ? 0.0722 : 0.114;

    return (struct matrix){kr, kb, is_full ? 1 : 219.0 / 255.0, is_full ? 0 : 16, is_full ? 1 : 224.0 / 255.0};
}

/* yuv[3], not rounded yet: chroma is averaged first. */
static void to_yuv(const struct matrix *m, const uint8_t rgb[3], double yuv[3])
{
    double y = m->kr * rgb[0] + (1 - m->kr - m->kb) * rgb[1] + m->kb * rgb[2];

    yuv[0] = y * m->y_scale + m->y_zero;
    yuv[1] = (rgb[2] - y) / (2 * (1 - m->kb)) * m->chroma_scale + 128;
    yuv[2] = (rgb[0] - y) / (2 * (1 - m->kr)) * m->chroma_scale + 128;
}

static void from_yuv(const struct matrix *m, const uint8_t yuv[3], uint8_t rgb[3])
{
    double y = (yuv[0] - m->y_zero) / m->y_scale, u = (yuv[1] - 128) / m->chroma_scale,
           v = (yuv[2] - 128) / m->chroma_scale;
    double r = y + 2 * (1 - m->kr) * v, b = y + 2 * (1 - m->kb) * u;

    rgb[0] = round_clip(r);
    rgb[1] = round_clip((y - m->kr * r - m->kb * b) / (1 - m->kr - m->kb));
    rgb[2] = round_clip(b);
}

/* ---- OpenCV's integers */

static int64_t descale(int64_t x, int bits)
{
    return (x + ((int64_t)1 << (bits - 1))) >> bits;
}

static void opencv_to_444(const uint8_t rgb[3], uint8_t yuv[3])
{
    int64_t y = descale(4899 * rgb[0] + 9617 * rgb[1] + 1868 * rgb[2], 14);

    yuv[0] = clip(y);
    yuv[1] = clip(descale((rgb[2] - y) * 8061 + (128 << 14), 14));
    yuv[2] = clip(descale((rgb[0] - y) * 14369 + (128 << 14), 14));
}

static void opencv_from_444(const uint8_t yuv[3], uint8_t rgb[3])
{
    int64_t u = yuv[1] - 128, v = yuv[2] - 128;

    rgb[0] = clip(yuv[0] + descale(18678 * v, 14));
    rgb[1] = clip(yuv[0] + descale(-6472 * u - 9519 * v, 14));
    rgb[2] = clip(yuv[0] + descale(33292 * u, 14));
}

static void opencv_to_420(const uint8_t rgb[3], uint8_t yuv[3])
{
    int64_t r = rgb[0], g = rgb[1], b = rgb[2];

    yuv[0] = clip(descale(269484 * r + 528482 * g + 102760 * b + (16 << 20), 20));
    yuv[1] = clip(descale(-155188 * r - 305135 * g + 460324 * b + (128 << 20), 20));
    yuv[2] = clip(descale(460324 * r - 385875 * g - 74448 * b + (128 << 20), 20));
}

static void opencv_from_420(const uint8_t yuv[3], uint8_t rgb[3])
{
    int64_t y = yuv[0] < 16 ? 0 : (yuv[0] - 16) * (int64_t)1220542, u = yuv[1] - 128, v = yuv[2] - 128;

    rgb[0] = clip(descale(y + 1673527 * v, 20));
    rgb[1] = clip(descale(y - 852492 * v - 409993 * u, 20));
    rgb[2] = clip(descale(y + 2116026 * u, 20));
}

/* ---- Pixels of a picture in either layout */

struct colours {
    const uint8_t *bytes;
    struct lane lanes[3]; /* R, G, B or Y, U, V */
};

static void fetch(const struct colours *from, size_t i, uint8_t values[3])
{
    for (size_t c = 0; c < 3; c++)
        values[c] = from->bytes[from->lanes[c].first + i * from->lanes[c].stride];
}

static void rgb_to_444(const struct preprocess_step *step, const struct colours *from, size_t n, uint8_t *to)
{
    struct matrix m = matrix_of(step);

    for (size_t i = 0; i < n; i++, to += 3) {
        uint8_t rgb[3];
        double yuv[3];

        fetch(from, i, rgb);
        to_yuv(&m, rgb, yuv);
        for (size_t c = 0; c < 3; c++)
            to[c] = round_clip(yuv[c]);
        if (step->yuv.matrix == YUV_OPENCV)
            opencv_to_444(rgb, to);
    }
}

static void rgb_to_nv12(const struct preprocess_step *step, const struct colours *from, size_t height, size_t width,
                        uint8_t *to)
{
    struct matrix m = matrix_of(step);
    uint8_t *chroma = to + height * width;

    for (size_t y = 0; y < height; y += 2)
        for (size_t x = 0; x < width; x += 2, chroma += 2) {
            double u = 0, v = 0;

            for (size_t k = 0; k < 4; k++) {
                size_t i = (y + k / 2) * width + x + k % 2;
                uint8_t rgb[3], exact[3];
                double yuv[3];

                fetch(from, i, rgb);
                to_yuv(&m, rgb, yuv);
                opencv_to_420(rgb, exact);
                to[i] = step->yuv.matrix == YUV_OPENCV ? exact[0] : round_clip(yuv[0]);
                u += step->yuv.matrix == YUV_OPENCV ? (k == 0 ? 4 * exact[1] : 0) : yuv[1];
                v += step->yuv.matrix == YUV_OPENCV ? (k == 0 ? 4 * exact[2] : 0) : yuv[2];
            }
            chroma[0] = round_clip(u / 4);
            chroma[1] = round_clip(v / 4);
        }
}

/* yuv[3] of the pixel at (y, x), from either form. */
static void fetch_yuv(const struct preprocess_step *step, const struct colours *from, size_t y, size_t x, size_t height,
                      size_t width, uint8_t yuv[3])
{
    if (step->yuv.from == YUV_NV12) {
        const uint8_t *chroma = from->bytes + (height + y / 2) * width + x / 2 * 2;

        yuv[0] = from->bytes[y * width + x];
        yuv[1] = chroma[0];
        yuv[2] = chroma[1];
    } else {
        fetch(from, y * width + x, yuv);
    }
}

/* To three interleaved channels: Y, U, V or R, G, B or B, G, R. */
static void expand(const struct preprocess_step *step, const struct colours *from, size_t height, size_t width,
                   uint8_t *to)
{
    struct matrix m = matrix_of(step);

    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++, to += 3) {
            uint8_t yuv[3], rgb[3];

            fetch_yuv(step, from, y, x, height, width, yuv);
            if (step->yuv.matrix == YUV_OPENCV)
                (step->yuv.from == YUV_NV12 ? opencv_from_420 : opencv_from_444)(yuv, rgb);
            else
                from_yuv(&m, yuv, rgb);
            for (size_t c = 0; c < 3; c++)
                to[c] = step->yuv.to == YUV_444 ? yuv[c] : step->yuv.to == YUV_RGB ? rgb[c] : rgb[2 - c];
        }
}

/* ---- */

static int yuv_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    bool is_from_image = step->yuv.from == YUV_IMAGE;
    bool is_possible = is_from_image ? step->yuv.to == YUV_444 || step->yuv.to == YUV_NV12
                                     : step->yuv.to == YUV_RGB || step->yuv.to == YUV_BGR ||
                                           (step->yuv.from == YUV_NV12 && step->yuv.to == YUV_444);

    if (!is_possible)
        return error_set(err, EX_CONFIG,
                         "expected image to yuv444 or nv12, yuv444 to rgb or bgr, or nv12 to yuv444, rgb or bgr");
    if (step->yuv.matrix > YUV_OPENCV || step->yuv.range > YUV_LIMITED)
        return error_set(err, EX_CONFIG, "unknown matrix or range");
    if (shape->is_float)
        return error_set(err, EX_CONFIG, "expected bytes, found the result of arithmetic");
    if (step->yuv.to == YUV_NV12)
        shape->height += shape->height / 2;
    else if (step->yuv.from == YUV_NV12)
        shape->height = shape->height / 3 * 2;
    shape->channels = step->yuv.to == YUV_NV12 ? 1 : 3;
    return 0;
}

/* The wrong pixels for this step make the record a bad one. */
static int check_picture(const struct preprocess_step *step, const struct picture *from, struct error *err)
{
    size_t channels = picture_channels(from), expected = step->yuv.from == YUV_NV12 ? 1 : 3;

    if (from->is_float)
        return error_set(err, EX_DATAERR, "expected bytes, found floats");
    if (channels != expected || (step->yuv.from == YUV_IMAGE && from->order == PIXELS_NONE))
        return error_set(err, EX_DATAERR, "expected %s of %zu channels, found %zu",
                         step->yuv.from == YUV_IMAGE ? "an image" : "pixels", expected, channels);
    if (step->yuv.from == YUV_NV12 && (from->height % 3 != 0 || from->width % 2 != 0))
        return error_set(err, EX_DATAERR, "expected rows divisible by 3 and an even width of NV12, found %zux%zu",
                         from->height, from->width);
    if (step->yuv.to == YUV_NV12 && (from->height % 2 != 0 || from->width % 2 != 0))
        return error_set(err, EX_DATAERR, "expected an even height and width for NV12, found %zux%zu", from->height,
                         from->width);
    return 0;
}

static int yuv_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    bool to_nv12 = step->yuv.to == YUV_NV12, from_nv12 = step->yuv.from == YUV_NV12;
    struct colours colours = {.bytes = from.data};
    size_t height = from_nv12 ? from.height / 3 * 2 : from.height;
    uint8_t *to;

    if (check_picture(step, &from, err) < 0)
        return -1;
    for (size_t c = 0; !from_nv12 && c < 3; c++)
        colours.lanes[c] = picture_lane(&from, step->yuv.from == YUV_IMAGE && from.order == PIXELS_BGR ? 2 - c : c);
    to = picture_renew(picture, 1, to_nv12 ? height / 2 * 3 : height, from.width, to_nv12 ? 1 : 3, false, err);
    if (to == NULL)
        return -1;
    picture->order = step->yuv.to == YUV_RGB ? PIXELS_RGB : step->yuv.to == YUV_BGR ? PIXELS_BGR : PIXELS_NONE;
    if (to_nv12)
        rgb_to_nv12(step, &colours, height, from.width, to);
    else if (step->yuv.from == YUV_IMAGE)
        rgb_to_444(step, &colours, height * from.width, to);
    else
        expand(step, &colours, height, from.width, to);
    return 0;
}

const struct preprocess_op preprocess_yuv = {"yuv", yuv_check, yuv_apply, NULL, true};
