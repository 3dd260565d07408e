/* ops_resize.c — images of another size: interpolated, or with pixels moved into channels and back. */
#include "formats/tensorflow/tf_import.h"

/* Where the pixels of the result lie in the source: corners on corners, centres in proportion, or i * in / out. Nearest
 * takes the pixel below, except that both flags ask for the nearer one, the upper of two. */
int tf_build_resize(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x = tf_image(in, node, 0, true, err);
    struct node draft = {.op = OP_RESIZE, .inputs = &x, .n_inputs = 1};
    struct tf_order order = tf_image_order(4, true);
    bool aligns_corners, has_half_pixels;
    int64_t size[2];
    struct shape shape;
    size_t n;

    if (x < 0 || tf_constant_ints(in, node, 1, size, 2, &n, err) != 0 ||
        tf_flag(node, "align_corners", false, &aligns_corners, err) != 0 ||
        tf_flag(node, "half_pixel_centers", false, &has_half_pixels, err) != 0)
        return -1;
    if (n != 2 || size[0] < 1 || size[1] < 1)
        return error_set(err, EX_DATAERR, "expected rows and columns, both positive");
    if (aligns_corners && has_half_pixels)
        return error_set(err, EX_DATAERR, "align_corners and half_pixel_centers exclude each other");
    shape = in->graph->values[x].shape;
    draft.attr.resize.mode = (enum resize_mode)node->row->variant;
    draft.attr.resize.coordinates = aligns_corners    ? RESIZE_ALIGN_CORNERS
                                    : has_half_pixels ? RESIZE_HALF_PIXEL
                                                      : RESIZE_ASYMMETRIC;
    draft.attr.resize.rounding = aligns_corners || has_half_pixels ? RESIZE_PREFER_CEIL : RESIZE_FLOOR;
    for (size_t k = 0; k < 2; k++) {
        draft.attr.resize.scale[k] = (float)((double)size[k] / (double)shape.dims[2 + k]);
        shape.dims[2 + k] = size[k];
    }
    x = tf_add(in, node, &draft, &(struct tf_result){.shape = &shape}, err);
    if (x < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = x, .order = order};
    return 0;
}

/* --- SpaceToDepth, DepthToSpace --- */

static int read_block(const struct tf_import *in, const struct tf_node *node, bool *is_channels_last, int64_t *block,
                      struct shape *image, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (tf_is_channels_last(node->proto, is_channels_last, err) != 0 || tf_int(node, "block_size", 0, block, err) != 0)
        return -1;
    *image = tf_shape(in, &node->inputs[0]);
    if (image->rank != 4 || *block < 1 || *block > INT16_MAX)
        return error_set(err, EX_DATAERR, "a block of %lld does not fit shape %s", (long long)*block,
                         shape_text(image, text));
    return 0;
}

/* Reshapes to `cut`, permutes by `perm`, and reshapes to `result`. */
static int shuffle(struct tf_import *in, struct tf_node *node, const struct shape *cut, const int64_t *perm,
                   const struct shape *result, struct error *err)
{
    struct tf_tensor tensor;

    if (tf_reshape_step(in, node, &node->inputs[0], cut, "cut", &tensor, err) != 0)
        return -1;
    tensor = tf_transposed(&tensor, perm, cut->rank);
    return tf_reshape(in, node, &tensor, result, 0, err);
}

/* The b x b pixels of a block become channels, rows slowest. */
int tf_build_space_to_depth(struct tf_import *in, struct tf_node *node, struct error *err)
{
    static const int64_t last[] = {0, 1, 3, 2, 4, 5}, first[] = {0, 3, 5, 1, 2, 4};
    bool is_last;
    struct shape s, cut, result;
    int64_t b;

    if (read_block(in, node, &is_last, &b, &s, err) != 0)
        return -1;
    if (s.dims[is_last ? 1 : 2] % b != 0 || s.dims[is_last ? 2 : 3] % b != 0)
        return error_set(err, EX_DATAERR, "the image does not divide into blocks of %lld", (long long)b);
    if (is_last) {
        cut = (struct shape){6, {1, s.dims[1] / b, b, s.dims[2] / b, b, s.dims[3]}};
        result = (struct shape){4, {1, s.dims[1] / b, s.dims[2] / b, s.dims[3] * b * b}};
    } else {
        cut = (struct shape){6, {1, s.dims[1], s.dims[2] / b, b, s.dims[3] / b, b}};
        result = (struct shape){4, {1, s.dims[1] * b * b, s.dims[2] / b, s.dims[3] / b}};
    }
    return shuffle(in, node, &cut, is_last ? last : first, &result, err);
}

int tf_build_depth_to_space(struct tf_import *in, struct tf_node *node, struct error *err)
{
    static const int64_t last[] = {0, 1, 3, 2, 4, 5}, first[] = {0, 3, 4, 1, 5, 2};
    bool is_last;
    struct shape s, cut, result;
    int64_t b, channels;

    if (read_block(in, node, &is_last, &b, &s, err) != 0)
        return -1;
    channels = s.dims[is_last ? 3 : 1];
    if (channels % (b * b) != 0)
        return error_set(err, EX_DATAERR, "%lld channels do not divide into blocks of %lld", (long long)channels,
                         (long long)b);
    if (is_last) {
        cut = (struct shape){6, {1, s.dims[1], s.dims[2], b, b, channels / b / b}};
        result = (struct shape){4, {1, s.dims[1] * b, s.dims[2] * b, channels / b / b}};
    } else {
        cut = (struct shape){6, {1, b, b, channels / b / b, s.dims[2], s.dims[3]}};
        result = (struct shape){4, {1, channels / b / b, s.dims[2] * b, s.dims[3] * b}};
    }
    return shuffle(in, node, &cut, is_last ? last : first, &result, err);
}
