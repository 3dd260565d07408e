/* write_pool.c — pools.
 *
 * Caffe pads both ends alike, rounds sizes up (newer ones also down), counts padding in averages, and clips to image
 * and pad what hangs over the end. So a pool can be written where that gives as many rows; an average that divides by
 * other numbers is corrected by a Scale layer, one factor a pixel.
 */
#include "formats/caffe/write.h"

enum { ROWS = 2 }; /* the first axis of the image */

/* ---- Does Caffe compute the same? */

/* Rows that window `o` divides by along axis k: in an image of `in` rows with `pad` at its end; `counts`: pads count.
 */
static int64_t count_rows(const struct window *w, size_t k, int64_t in, int64_t o, int64_t pad, bool counts)
{
    int64_t begin = o * w->stride[k] - w->pad_begin[k], end = begin + w->kernel[k], last = counts ? in + pad : in;

    if (!counts && begin < 0)
        begin = 0;
    return (end < last ? end : last) - begin;
}

/* What the sum of window `o` along axis k is divided by: in the graph, and in Caffe. */
struct divisors {
    int64_t wanted, caffe;
};

static struct divisors find_divisors(const struct node *pool, const struct shape *x, size_t k, int64_t o)
{
    const struct window *w = &pool->attr.pool.window;
    int64_t in = x->dims[ROWS + k];

    return (struct divisors){count_rows(w, k, in, o, w->pad_end[k], pool->attr.pool.count_include_pad),
                             count_rows(w, k, in, o, w->pad_begin[k], true)};
}

static bool has_same_divisors(const struct node *pool, const struct shape *x)
{
    for (size_t k = 0; k < 2; k++)
        for (int64_t o = 0; o < pool->attr.pool.output[k]; o++) {
            struct divisors d = find_divisors(pool, x, k, o);

            if (d.wanted != d.caffe)
                return false;
        }
    return true;
}

static bool has_same_size(const struct node *pool, const struct shape *x, bool rounds_up)
{
    const struct window *w = &pool->attr.pool.window;
    bool is_padded = w->pad_begin[0] > 0 || w->pad_begin[1] > 0;

    for (size_t k = 0; k < 2; k++)
        if (pool_output_size(x->dims[ROWS + k], w->kernel[k], w->stride[k], 1, w->pad_begin[k], w->pad_begin[k],
                             rounds_up, !is_padded) != pool->attr.pool.output[k])
            return false;
    return true;
}

/* EX_UNAVAILABLE with the reason; else whether sizes are to be rounded down. */
static bool is_expressible(struct caffe_writer *w, const struct shape *x, bool *rounds_down)
{
    const struct window *win = &w->node->attr.pool.window;

    if (x->rank != 4 || win->dilation[0] != 1 || win->dilation[1] != 1)
        caffe_cannot(w, "pools over other than two axes, or with dilation, have no form in Caffe");
    else if (!has_same_size(w->node, x, true) && !has_same_size(w->node, x, false))
        caffe_cannot(w,
                     "with pads %lld,%lld,%lld,%lld its output of %lldx%lld is no size that Caffe rounds to, up or "
                     "down",
                     (long long)win->pad_begin[0], (long long)win->pad_begin[1], (long long)win->pad_end[0],
                     (long long)win->pad_end[1], (long long)w->node->attr.pool.output[0],
                     (long long)w->node->attr.pool.output[1]);
    *rounds_down = w->err.code == 0 && !has_same_size(w->node, x, true);
    return w->err.code == 0;
}

/* ---- Parameters */

/* A number for both axes where all are squares, else pairs: some readers take either, but not both. */
static void put_window(Caffe__PoolingParameter *param, const struct window *win)
{
    bool is_square =
        win->kernel[0] == win->kernel[1] && win->stride[0] == win->stride[1] && win->pad_begin[0] == win->pad_begin[1];

    param->kernel_size = param->kernel_h = (uint32_t)win->kernel[0];
    param->kernel_w = (uint32_t)win->kernel[1];
    param->stride = param->stride_h = (uint32_t)win->stride[0];
    param->stride_w = (uint32_t)win->stride[1];
    param->pad = param->pad_h = (uint32_t)win->pad_begin[0];
    param->pad_w = (uint32_t)win->pad_begin[1];
    param->has_kernel_size = is_square;
    param->has_stride = is_square && win->stride[0] != 1;
    param->has_pad = is_square && win->pad_begin[0] != 0;
    param->has_kernel_h = param->has_kernel_w = param->has_stride_h = param->has_stride_w = !is_square;
    param->has_pad_h = param->has_pad_w = !is_square;
}

static Caffe__PoolingParameter *put_pool(struct caffe_writer *w, const char *name, const char *from, const char *to,
                                         bool is_max)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Pooling", name, from, to);
    Caffe__PoolingParameter *param = caffe_put_message(w, &caffe__pooling_parameter__descriptor);

    if (param == NULL)
        return NULL;
    layer->pooling_param = param;
    param->has_pool = true;
    param->pool = is_max ? CAFFE__POOLING_PARAMETER__POOL_METHOD__MAX : CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE;
    return param;
}

void caffe_put_global_pool(struct caffe_writer *w, const char *name, const char *from, const char *to, bool is_max)
{
    Caffe__PoolingParameter *param = put_pool(w, name, from, to, is_max);

    if (param != NULL)
        param->has_global_pooling = param->global_pooling = true;
}

/* y = what Caffe averages times its divisor, over the one wanted. */
static void put_correction(struct caffe_writer *w, const char *name, const struct shape *x)
{
    const int64_t *output = w->node->attr.pool.output;
    const struct shape image = {2, {output[0], output[1]}};
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Scale", name, w->to, w->to);
    Caffe__ScaleParameter *param = caffe_put_message(w, &caffe__scale_parameter__descriptor);
    float *factors = caffe_put_floats(w, (size_t)(output[0] * output[1]));

    if (factors == NULL)
        return;
    for (int64_t i = 0; i < output[0] * output[1]; i++) {
        struct divisors rows = find_divisors(w->node, x, 0, i / output[1]);
        struct divisors columns = find_divisors(w->node, x, 1, i % output[1]);

        factors[i] = (float)((double)(rows.caffe * columns.caffe) / (double)(rows.wanted * columns.wanted));
    }
    layer->scale_param = param;
    param->has_axis = param->has_num_axes = true;
    param->axis = ROWS;
    param->num_axes = 2;
    caffe_put_blob(w, layer, &image, factors);
}

void caffe_write_pool(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]);
    bool is_max = w->node->attr.pool.kind == POOL_MAX, is_exact, rounds_down;
    Caffe__PoolingParameter *param;

    if (!is_expressible(w, x, &rounds_down))
        return;
    if (w->node->attr.pool.is_global) {
        caffe_put_global_pool(w, w->node->name, w->from, w->to, is_max);
        return;
    }
    is_exact = is_max || has_same_divisors(w->node, x);
    param = put_pool(w, is_exact ? w->node->name : caffe_inner_name(w, "sum"), w->from, w->to, is_max);
    if (param == NULL)
        return;
    put_window(param, &w->node->attr.pool.window);
    param->has_round_mode = rounds_down;
    param->round_mode = CAFFE__POOLING_PARAMETER__ROUND_MODE__FLOOR;
    if (!is_exact)
        put_correction(w, w->node->name, x);
}
