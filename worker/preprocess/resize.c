/* resize.c — brings pictures to a size: stretched, by the short or the long side, or whole with a border. */
#include "worker/preprocess/steps.h"

static resize_function *const filters[] = {
    [FILTER_BILINEAR] = resize_pil,
    [FILTER_OPENCV_LINEAR] = resize_opencv_linear,
    [FILTER_NEAREST] = resize_nearest,
    [FILTER_PIL_BOX] = resize_pil,
    [FILTER_PIL_HAMMING] = resize_pil,
    [FILTER_PIL_BICUBIC] = resize_pil,
    [FILTER_PIL_LANCZOS] = resize_pil,
    [FILTER_OPENCV_NEAREST] = resize_nearest,
    [FILTER_OPENCV_AREA] = resize_opencv_area,
    [FILTER_OPENCV_CUBIC] = resize_opencv_taps,
    [FILTER_OPENCV_LANCZOS4] = resize_opencv_taps,
    [FILTER_STB_BOX] = resize_stb,
    [FILTER_STB_TRIANGLE] = resize_stb,
    [FILTER_STB_CUBICBSPLINE] = resize_stb,
    [FILTER_STB_CATMULLROM] = resize_stb,
    [FILTER_STB_MITCHELL] = resize_stb,
    [FILTER_STB_DEFAULT] = resize_stb,
};

static int resize_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    size_t height = step->resize.height, width = step->resize.fit == FIT_WARP ? step->resize.width : height;

    if (step->resize.fit > FIT_LONG || step->resize.filter >= N_FILTERS)
        return error_set(err, EX_CONFIG, "unknown fit %d or filter %d", (int)step->resize.fit,
                         (int)step->resize.filter);
    if (height == 0 || width == 0 || height > STEP_MAX_SIDE || width > STEP_MAX_SIDE)
        return error_set(err, EX_CONFIG, "expected sizes of 1 to %d, found %zux%zu", STEP_MAX_SIDE, height, width);
    if (step->resize.fit == FIT_SIDE_PAD && pad_check_value(step->resize.pad, shape, err) < 0)
        return -1;
    if (step->resize.fit == FIT_SHORT || step->resize.fit == FIT_LONG)
        height = width = 0;
    shape->height = height;
    shape->width = width;
    return 0;
}

void resize_find_size(const struct preprocess_step *step, size_t h, size_t w, size_t *height, size_t *width)
{
    /* The other side keeps the aspect, rounded down as torchvision and Caffe's SSD branch do; at least one pixel. */
    size_t side = step->resize.height;
    bool height_is_side = step->resize.fit == FIT_SHORT ? h <= w : h >= w;
    size_t other = height_is_side ? side * w / h : side * h / w;

    other = other > 0 ? other : 1;
    *height = height_is_side ? side : other;
    *width = height_is_side ? other : side;
    if (step->resize.fit == FIT_WARP) {
        *height = step->resize.height;
        *width = step->resize.width;
    }
}

static int resize_whole(const struct preprocess_step *step, struct picture *picture, size_t height, size_t width,
                        struct error *err)
{
    if (height == picture->height && width == picture->width)
        return 0;
    return filters[step->resize.filter](picture, step->resize.filter, height, width, err);
}

struct rectangle resize_find_source(const struct preprocess_step *step, size_t in_height, size_t in_width,
                                    size_t height, size_t width, const struct rectangle *window)
{
    if (filters[step->resize.filter] == resize_pil)
        return resize_pil_source(step->resize.filter, in_height, in_width, height, width, window);
    return (struct rectangle){0, 0, in_height, in_width};
}

int resize_to_window(const struct preprocess_step *step, struct picture *picture, size_t height, size_t width,
                     const struct rectangle *window, struct error *err)
{
    if (filters[step->resize.filter] == resize_pil)
        return resize_pil_window(picture, step->resize.filter, height, width, window, err);
    return resize_whole(step, picture, height, width, err) < 0 ? -1 : crop_window(picture, window, err);
}

static int resize_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    size_t height, width, side = step->resize.height;

    resize_find_size(step, picture->height, picture->width, &height, &width);
    if (resize_whole(step, picture, height, width, err) < 0)
        return -1;
    if (step->resize.fit != FIT_SIDE_PAD)
        return 0;
    return pad_around(picture, (side - height) / 2, (side - width) / 2, side, side, step->resize.pad, err);
}

const struct preprocess_op preprocess_resize = {"resize", resize_check, resize_apply, NULL, false};
