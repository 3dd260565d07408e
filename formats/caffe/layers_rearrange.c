/* layers_rearrange.c — layers that move elements without computing: ShuffleChannel, Reorg, Reverse, Tile, Crop,
 * Padding.
 */
#include "formats/caffe/build.h"

enum {
    MAX_REVERSED = 256, /* elements along an axis: each becomes a node */
    MAX_TILES = 1024,
};

static int expect_image(const struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    size_t rank = caffe_bottom_shape(in, layer, 0)->rank;

    return rank == 4 ? 0 : caffe_error(layer, err, EX_DATAERR, "expected a bottom of 4 axes, found %zu", rank);
}

/* Top 0 = the bottom seen in shape `view`, its axes permuted, seen in shape `result`. */
static int permute_through(struct caffe_import *in, const struct caffe_layer *layer, const struct shape *view,
                           const int64_t *perm, const struct shape *result, struct error *err)
{
    int output = caffe_top(in, layer, 0, result, err), split, moved;

    if (output < 0)
        return -1;
    split = caffe_inner(in, layer, "split", view, err);
    if (split < 0 || caffe_add_reshape(in, layer, layer->bottoms[0], split, err) < 0)
        return -1;
    moved = caffe_inner(in, layer, "moved", NULL, err);
    if (moved < 0 || caffe_add_transpose(in, layer, split, perm, moved, err) < 0)
        return -1;
    return caffe_add_reshape(in, layer, moved, output, err);
}

/* Channel g n + i of G groups of n becomes channel i G + g. */
int caffe_shuffle_channel(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const int64_t group = layer->param->shuffle_channel_param != NULL ? layer->param->shuffle_channel_param->group : 1;
    const int64_t perm[5] = {0, 2, 1, 3, 4};
    struct shape x, view;

    if (caffe_expect(layer, 1, 1, err) < 0 || expect_image(in, layer, err) < 0)
        return -1;
    x = *caffe_bottom_shape(in, layer, 0);
    if (group == 0 || x.dims[1] % group != 0)
        return caffe_error(layer, err, EX_DATAERR, "%lld channels do not divide into %lld groups", (long long)x.dims[1],
                           (long long)group);
    view = (struct shape){5, {1, group, x.dims[1] / group, x.dims[2], x.dims[3]}};
    return permute_through(in, layer, &view, perm, &x, err);
}

/* Darknet's space to depth, and `reverse`, its inverse. The inverse is the plain one: channel (i s + j) n + c, row y,
 * column x becomes channel c, row y s + i, column x s + j. The forward way keeps darknet's habit of reading the bottom,
 * whose sizes are [C][H][W], as if they were [C / s^2][H s][W s]: trained weights expect the result. */
int caffe_reorg(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__ReorgParameter *param = layer->param->reorg_param;
    const int64_t s = param != NULL && param->has_stride && param->stride <= UINT16_MAX ? param->stride : 0;
    const int64_t forward[6] = {0, 3, 5, 1, 2, 4}, reverse[6] = {0, 3, 4, 1, 5, 2};
    struct shape x, view, result;

    if (caffe_expect(layer, 1, 1, err) < 0 || expect_image(in, layer, err) < 0)
        return -1;
    x = *caffe_bottom_shape(in, layer, 0);
    if (s == 0 || x.dims[1] % (s * s) != 0 || (!param->reverse && (x.dims[2] % s != 0 || x.dims[3] % s != 0)))
        return caffe_error(layer, err, EX_DATAERR,
                           "expected a stride whose square divides %lld channels and that divides the %lld rows and "
                           "%lld columns, found %lld",
                           (long long)x.dims[1], (long long)x.dims[2], (long long)x.dims[3], (long long)s);
    if (param->reverse) {
        view = (struct shape){6, {1, s, s, x.dims[1] / (s * s), x.dims[2], x.dims[3]}};
        result = (struct shape){4, {1, x.dims[1] / (s * s), x.dims[2] * s, x.dims[3] * s}};
        return permute_through(in, layer, &view, reverse, &result, err);
    }
    view = (struct shape){6, {1, x.dims[1] / (s * s), x.dims[2], s, x.dims[3], s}};
    result = (struct shape){4, {1, x.dims[1] * s * s, x.dims[2] / s, x.dims[3] / s}};
    return permute_through(in, layer, &view, forward, &result, err);
}

/* Slices of one element, joined from the last to the first: the graph's slices run forward only. */
int caffe_reverse(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    int64_t begin[TENSOR_MAX_RANK] = {0}, n;
    int slices[MAX_REVERSED], output;
    struct shape slice;
    size_t axis;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    slice = *caffe_bottom_shape(in, layer, 0);
    if (caffe_axis(layer, layer->param->reverse_param != NULL ? layer->param->reverse_param->axis : 0, slice.rank,
                   &axis, err) < 0)
        return -1;
    n = slice.dims[axis];
    if (axis == 0 || n > MAX_REVERSED)
        return caffe_error(layer, err, EX_UNAVAILABLE,
                           "supported along an axis of at most %d elements that is not the batch, found axis %zu of "
                           "%lld",
                           MAX_REVERSED, axis, (long long)n);
    output = caffe_top(in, layer, 0, NULL, err);
    slice.dims[axis] = 1;
    for (int64_t i = 0; output >= 0 && i < n; i++) {
        begin[axis] = n - 1 - i;
        slices[i] = caffe_inner(in, layer, "slice", &slice, err);
        if (slices[i] < 0 || caffe_add_slice(in, layer, layer->bottoms[0], begin, slices[i], err) < 0)
            return -1;
    }
    return output < 0 ? -1 : caffe_add_concat(in, layer, slices, (size_t)n, axis, output, err);
}

int caffe_tile(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__TileParameter defaults = CAFFE__TILE_PARAMETER__INIT;
    const Caffe__TileParameter *param = layer->param->tile_param != NULL ? layer->param->tile_param : &defaults;
    int copies[MAX_TILES], output;
    size_t axis;

    if (caffe_expect(layer, 1, 1, err) < 0 ||
        caffe_axis(layer, param->axis, caffe_bottom_shape(in, layer, 0)->rank, &axis, err) < 0)
        return -1;
    if (param->tiles < 1 || param->tiles > MAX_TILES)
        return caffe_error(layer, err, EX_DATAERR, "expected 1 to %d tiles, found %d", MAX_TILES, param->tiles);
    for (int32_t i = 0; i < param->tiles; i++)
        copies[i] = layer->bottoms[0];
    output = caffe_top(in, layer, 0, NULL, err);
    return output < 0 ? -1 : caffe_add_concat(in, layer, copies, (size_t)param->tiles, axis, output, err);
}

/* ---- Crop: the window of bottom 0 that has the size of bottom 1 from `axis` on */

/* One offset for all cropped axes, one for each, or none: 0. */
static int crop_offsets(const struct caffe_layer *layer, const Caffe__CropParameter *param, size_t axis, size_t rank,
                        int64_t *begin, struct error *err)
{
    if (param->n_offset > 1 && param->n_offset != rank - axis)
        return caffe_error(layer, err, EX_DATAERR, "expected an offset for each of %zu axes, found %zu", rank - axis,
                           param->n_offset);
    for (size_t i = axis; i < rank && param->n_offset > 0; i++)
        begin[i] = param->offset[param->n_offset > 1 ? i - axis : 0];
    return 0;
}

int caffe_crop(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__CropParameter defaults = CAFFE__CROP_PARAMETER__INIT;
    const Caffe__CropParameter *param = layer->param->crop_param != NULL ? layer->param->crop_param : &defaults;
    int64_t begin[TENSOR_MAX_RANK] = {0};
    const struct shape *size;
    struct shape x, window;
    size_t axis;
    int output;

    if (caffe_expect(layer, 2, 1, err) < 0)
        return -1;
    window = x = *caffe_bottom_shape(in, layer, 0);
    size = caffe_bottom_shape(in, layer, 1);
    if (caffe_axis(layer, param->axis, x.rank, &axis, err) < 0 ||
        crop_offsets(layer, param, axis, x.rank, begin, err) < 0)
        return -1;
    if (size->rank != x.rank)
        return caffe_error(layer, err, EX_DATAERR, "its bottoms have %zu and %zu axes", x.rank, size->rank);
    for (size_t i = axis; i < x.rank; i++) {
        window.dims[i] = size->dims[i];
        if (begin[i] + size->dims[i] > x.dims[i])
            return caffe_error(layer, err, EX_DATAERR, "axis %zu: %lld elements from offset %lld exceed %lld", i,
                               (long long)size->dims[i], (long long)begin[i], (long long)x.dims[i]);
    }
    output = caffe_top(in, layer, 0, &window, err);
    return output < 0 ? -1 : caffe_add_slice(in, layer, layer->bottoms[0], begin, output, err);
}

/* ---- Padding (Sophon's fork): a border of one value */

int caffe_padding(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__PaddingParameter defaults = CAFFE__PADDING_PARAMETER__INIT;
    const Caffe__PaddingParameter *param =
        layer->param->padding_param != NULL ? layer->param->padding_param : &defaults;
    struct node *pad;
    int output, node;

    if (caffe_expect(layer, 1, 1, err) < 0 || expect_image(in, layer, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    node = output < 0 ? -1 : caffe_add_node(in, layer, OP_PAD, layer->bottoms, 1, output, err);
    if (node < 0)
        return -1;
    pad = &in->graph->nodes[node];
    pad->attr.pad.mode = PAD_CONSTANT;
    pad->attr.pad.value = (float)param->pad_value;
    pad->attr.pad.begin[2] = param->pad_t;
    pad->attr.pad.end[2] = param->pad_b;
    pad->attr.pad.begin[3] = param->pad_l;
    pad->attr.pad.end[3] = param->pad_r;
    return caffe_finish_node(in, node, err);
}
