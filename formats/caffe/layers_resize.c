/* layers_resize.c — layers that change an image's size: Interp and Upsample, of several forks. */
#include "formats/caffe/build.h"

struct image_size {
    int64_t rows, columns;
};

static int expect_image(const struct caffe_import *in, const struct caffe_layer *layer, struct image_size *size,
                        struct error *err)
{
    const struct shape *x = caffe_bottom_shape(in, layer, 0);

    if (x->rank != 4)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom of 4 axes, found %zu", x->rank);
    *size = (struct image_size){x->dims[2], x->dims[3]};
    return 0;
}

static struct shape resized_shape(const struct caffe_import *in, int x, struct image_size size)
{
    struct shape shape = in->graph->values[x].shape;

    shape.dims[2] = size.rows;
    shape.dims[3] = size.columns;
    return shape;
}

static int check_size(const struct caffe_layer *layer, struct image_size size, struct error *err)
{
    if (size.rows < 1 || size.columns < 1 || size.rows > TENSOR_MAX_ELEMENTS || size.columns > TENSOR_MAX_ELEMENTS)
        return caffe_error(layer, err, EX_DATAERR, "expected a size of at least 1x1, found %lldx%lld",
                           (long long)size.rows, (long long)size.columns);
    return 0;
}

/* `scale` is what nearest divides by; linear with aligned corners only looks at the sizes. */
static int add_resize(struct caffe_import *in, const struct caffe_layer *layer, enum resize_mode mode, int x,
                      const float scale[2], int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_RESIZE, &x, 1, output, err);
    struct node *resize;

    if (node < 0)
        return -1;
    resize = &in->graph->nodes[node];
    resize->attr.resize.mode = mode;
    resize->attr.resize.coordinates = mode == RESIZE_LINEAR ? RESIZE_ALIGN_CORNERS : RESIZE_ASYMMETRIC;
    resize->attr.resize.rounding = RESIZE_FLOOR;
    resize->attr.resize.scale[0] = scale[0];
    resize->attr.resize.scale[1] = scale[1];
    return caffe_finish_node(in, node, err);
}

/* ---- Interp: bilinear with aligned corners, after cutting off what negative pads say */

static int64_t shrunk(int64_t n, int32_t factor)
{
    return (n - 1) / factor + 1;
}

static int64_t zoomed(int64_t n, int32_t factor)
{
    return n + (n - 1) * (factor - 1);
}

static int interp_size(const struct caffe_layer *layer, const Caffe__InterpParameter *param, struct image_size from,
                       struct image_size *to, struct error *err)
{
    if (param->shrink_factor < 1 || param->zoom_factor < 1)
        return caffe_error(layer, err, EX_DATAERR, "expected factors of at least 1, found shrink %d and zoom %d",
                           param->shrink_factor, param->zoom_factor);
    *to = from;
    if (!param->has_shrink_factor && !param->has_zoom_factor) {
        if (!param->has_height || !param->has_width)
            return caffe_error(layer, err, EX_DATAERR, "it has no factor, and no height and width");
        *to = (struct image_size){param->height, param->width};
    }
    if (param->has_shrink_factor)
        *to = (struct image_size){shrunk(to->rows, param->shrink_factor), shrunk(to->columns, param->shrink_factor)};
    if (param->has_zoom_factor)
        *to = (struct image_size){zoomed(to->rows, param->zoom_factor), zoomed(to->columns, param->zoom_factor)};
    return check_size(layer, *to, err);
}

/* The bottom without -begin elements in front and -end behind, on both axes. */
static int cut(struct caffe_import *in, const struct caffe_layer *layer, int32_t begin, int32_t end,
               struct image_size *size, struct error *err)
{
    const int64_t first[4] = {0, 0, -(int64_t)begin, -(int64_t)begin};
    struct shape shape;
    int value;

    if (begin == 0 && end == 0)
        return layer->bottoms[0];
    if (begin > 0 || end > 0)
        return caffe_error(layer, err, EX_UNAVAILABLE, "only pads of at most 0 (cuts) are supported, found %d and %d",
                           begin, end);
    size->rows += (int64_t)begin + end;
    size->columns += (int64_t)begin + end;
    if (check_size(layer, *size, err) < 0)
        return -1;
    shape = resized_shape(in, layer->bottoms[0], *size);
    value = caffe_inner(in, layer, "cut", &shape, err);
    return value < 0 || caffe_add_slice(in, layer, layer->bottoms[0], first, value, err) < 0 ? -1 : value;
}

int caffe_interp(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__InterpParameter *param = layer->param->interp_param;
    struct image_size from = {0}, to = {0};
    struct shape shape;
    float scale[2];
    int x, output;

    if (caffe_expect(layer, -1, 1, err) < 0 || expect_image(in, layer, &from, err) < 0)
        return -1;
    if (layer->n_bottoms > 1)
        return caffe_error(layer, err, EX_UNAVAILABLE, "a size taken from a second bottom is not supported");
    if (param == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no interp_param");
    x = cut(in, layer, param->pad_beg, param->pad_end, &from, err);
    if (x < 0 || interp_size(layer, param, from, &to, err) < 0)
        return -1;
    shape = resized_shape(in, x, to);
    scale[0] = (float)to.rows / (float)from.rows;
    scale[1] = (float)to.columns / (float)from.columns;
    output = caffe_top(in, layer, 0, &shape, err);
    return output < 0 ? -1 : add_resize(in, layer, RESIZE_LINEAR, x, scale, output, err);
}

/* ---- Upsample: nearest, y[i] = x[floor(i / scale)] */

static int upsample_size(const struct caffe_layer *layer, const Caffe__UpsampleParameter *param, struct image_size from,
                         struct image_size *to, float scale[2], struct error *err)
{
    uint32_t rows = param->has_scale_h ? param->scale_h : param->scale;
    uint32_t columns = param->has_scale_w ? param->scale_w : param->scale;

    if (param->has_upsample_h != param->has_upsample_w || param->has_scale_h != param->has_scale_w)
        return caffe_error(layer, err, EX_DATAERR, "a size or scale is given for one axis only");
    if (param->has_upsample_h) {
        *to = (struct image_size){param->upsample_h, param->upsample_w};
        scale[0] = (float)to->rows / (float)from.rows;
        scale[1] = (float)to->columns / (float)from.columns;
    } else {
        *to = (struct image_size){from.rows * rows - param->pad_out_h, from.columns * columns - param->pad_out_w};
        scale[0] = (float)rows;
        scale[1] = (float)columns;
    }
    return check_size(layer, *to, err);
}

int caffe_upsample(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__UpsampleParameter defaults = CAFFE__UPSAMPLE_PARAMETER__INIT;
    const Caffe__UpsampleParameter *param =
        layer->param->upsample_param != NULL ? layer->param->upsample_param : &defaults;
    struct image_size from = {0}, to = {0};
    struct shape shape;
    float scale[2];
    int output;

    if (caffe_expect(layer, -1, 1, err) < 0 || expect_image(in, layer, &from, err) < 0)
        return -1;
    if (layer->n_bottoms > 1)
        return caffe_error(layer, err, EX_UNAVAILABLE, "a mask of maxima as second bottom is not supported");
    if (upsample_size(layer, param, from, &to, scale, err) < 0)
        return -1;
    shape = resized_shape(in, layer->bottoms[0], to);
    output = caffe_top(in, layer, 0, &shape, err);
    return output < 0 ? -1 : add_resize(in, layer, RESIZE_NEAREST, layer->bottoms[0], scale, output, err);
}
