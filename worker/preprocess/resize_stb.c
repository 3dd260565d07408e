/* resize_stb.c — the filters of stb_image_resize (Debian libstb-dev, version 0.97): the library itself, compiled here.
 *
 * Bytes are taken as linear (no sRGB), edges are clamped, there is no alpha. The default is a Catmull-Rom spline for
 * enlarging and Mitchell's filter for shrinking. All its arithmetic on bytes and floats is single precision of our own
 * build (no contraction), so the bits are the same on every machine.
 */
#include "worker/preprocess/steps.h"

#include <limits.h>
#include <stdlib.h>

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#define STBIR_ASSERT(condition) ((void)(condition))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wcast-align"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wdouble-promotion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wold-style-definition"
#pragma GCC diagnostic ignored "-Wfloat-equal"
#include <stb/stb_image_resize.h>
#pragma GCC diagnostic pop

static const stbir_filter stb_filters[] = {
    [FILTER_STB_BOX] = STBIR_FILTER_BOX,
    [FILTER_STB_TRIANGLE] = STBIR_FILTER_TRIANGLE,
    [FILTER_STB_CUBICBSPLINE] = STBIR_FILTER_CUBICBSPLINE,
    [FILTER_STB_CATMULLROM] = STBIR_FILTER_CATMULLROM,
    [FILTER_STB_MITCHELL] = STBIR_FILTER_MITCHELL,
    [FILTER_STB_DEFAULT] = STBIR_FILTER_DEFAULT,
};

int resize_stb(struct picture *picture, enum resize_filter filter, size_t height, size_t width, struct error *err)
{
    struct picture from = *picture;
    size_t element = from.is_float ? sizeof(float) : 1, long_side = from.width > from.height ? from.width : from.height;
    size_t from_plane = from.height * from.width * from.interleave * element;
    size_t to_plane = height * width * from.interleave * element;
    char *to;

    /* The library counts in int, coefficients of up to 4 per source and target pixel among them. */
    if (from.interleave > STBIR_MAX_CHANNELS || long_side > 65536 || from.width * from.interleave > INT_MAX / 256)
        return error_set(err, EX_DATAERR, "%zux%zux%zu is too large for the filters of stb", picture_channels(&from),
                         from.height, from.width);
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    for (size_t p = 0; p < from.planes; p++)
        if (!stbir_resize((const char *)from.data + p * from_plane, (int)from.width, (int)from.height, 0,
                          to + p * to_plane, (int)width, (int)height, 0,
                          from.is_float ? STBIR_TYPE_FLOAT : STBIR_TYPE_UINT8, (int)from.interleave,
                          STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, STBIR_EDGE_CLAMP, stb_filters[filter],
                          stb_filters[filter], STBIR_COLORSPACE_LINEAR, NULL))
            return error_set(err, EX_OSERR, "cannot allocate memory for resizing");
    return 0;
}
