/* write_pool.c — pools.
 *
 * Caffe pads both ends alike, rounds sizes up (newer ones also down), counts padding in averages, and clips to image
 * and pad what hangs over the end. So a pool is written with the larger pad, where that moves its windows by whole
 * strides, and rows too many are cut; an average that divides by other numbers is corrected by a Scale layer, one
 * factor a pixel.
 */
#include "formats/caffe/write.h"

enum { ROWS = 2 }; /* the first axis of the image */

/* A pool as Caffe computes it: rows and columns [drop, drop + output) of `made` are those of the node. */
struct caffe_pool {
    int64_t pad[2], made[2], drop[2];
    bool rounds_down;
};

/* ---- Sizes */

static void find_size(const struct node *pool, const struct shape *x, bool rounds_up, struct caffe_pool *out)
{
    const struct window *w = &pool->attr.pool.window;
    bool is_padded = out->pad[0] > 0 || out->pad[1] > 0;

    out->rounds_down = !rounds_up;
    for (size_t k = 0; k < 2; k++) {
        out->made[k] = pool_output_size(x->dims[ROWS + k], w->kernel[k], w->stride[k], 1, out->pad[k], out->pad[k],
                                        rounds_up, !is_padded);
        out->drop[k] = (out->pad[k] - w->pad_begin[k]) / w->stride[k];
    }
}

static bool has_size(const struct caffe_pool *pool, const int64_t output[2])
{
    return pool->made[0] == output[0] && pool->made[1] == output[1];
}

/* Rows that the begin pad at both ends lacks, rounding up. A stride more of it at both ends adds one at both. */
static int64_t count_missing(const struct node *pool, const struct shape *x, size_t k)
{
    const struct window *w = &pool->attr.pool.window;
    int64_t room = x->dims[ROWS + k] + 2 * w->pad_begin[k] - w->kernel[k];
    int64_t steps = room < 0 ? -(-room / w->stride[k]) : (room + w->stride[k] - 1) / w->stride[k];
    int64_t missing = pool->attr.pool.output[k] - (steps + 1);

    return missing < 0 ? 0 : missing;
}

/* With the begin pads at both ends, rounded either way, where that gives the size; else with larger ones, and a cut. */
static bool find_pool(const struct node *node, const struct shape *x, struct caffe_pool *out)
{
    const struct window *w = &node->attr.pool.window;
    const int64_t *output = node->attr.pool.output;

    *out = (struct caffe_pool){.pad = {w->pad_begin[0], w->pad_begin[1]}};
    for (int rounds_down = 0; rounds_down < 2; rounds_down++) {
        find_size(node, x, rounds_down == 0, out);
        if (has_size(out, output))
            return true;
    }
    for (size_t k = 0; k < 2; k++) {
        out->pad[k] += count_missing(node, x, k) * w->stride[k];
        if (out->pad[k] >= w->kernel[k])
            return false; /* Caffe takes no such pads */
    }
    find_size(node, x, true, out);
    return out->made[0] >= out->drop[0] + output[0] && out->made[1] >= out->drop[1] + output[1];
}

static bool is_expressible(struct caffe_writer *w, const struct shape *x, struct caffe_pool *out)
{
    const struct window *win = &w->node->attr.pool.window;

    if (x->rank != 4 || win->dilation[0] != 1 || win->dilation[1] != 1)
        caffe_cannot(w, "pools over so many axes, or with dilation, have no form in Caffe");
    else if (!find_pool(w->node, x, out))
        caffe_cannot(w, "pads %lld,%lld,%lld,%lld of a pool with output %lldx%lld have no form in Caffe",
                     (long long)win->pad_begin[0], (long long)win->pad_begin[1], (long long)win->pad_end[0],
                     (long long)win->pad_end[1], (long long)w->node->attr.pool.output[0],
                     (long long)w->node->attr.pool.output[1]);
    return w->err.code == 0;
}

/* ---- Averages */

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

static struct divisors find_divisors(const struct node *node, const struct caffe_pool *pool, const struct shape *x,
                                     size_t k, int64_t o)
{
    const struct window *w = &node->attr.pool.window;
    int64_t in = x->dims[ROWS + k];

    return (struct divisors){count_rows(w, k, in, o, w->pad_end[k], node->attr.pool.count_include_pad),
                             count_rows(w, k, in, o, pool->pad[k], true)};
}

static bool has_same_divisors(const struct node *node, const struct caffe_pool *pool, const struct shape *x)
{
    for (size_t k = 0; k < 2; k++)
        for (int64_t o = 0; o < node->attr.pool.output[k]; o++) {
            struct divisors d = find_divisors(node, pool, x, k, o);

            if (d.wanted != d.caffe)
                return false;
        }
    return true;
}

bool caffe_is_plain_pool(const struct node *node, const struct shape *x)
{
    struct caffe_pool pool;

    return node->attr.pool.kind == POOL_MAX || node->attr.pool.is_global ||
           (x->rank == 4 && find_pool(node, x, &pool) && has_same_divisors(node, &pool, x));
}

/* y = what Caffe averages times its divisor, over the one wanted. */
static void put_correction(struct caffe_writer *w, const struct caffe_pool *pool, const struct shape *x,
                           struct caffe_link link)
{
    const int64_t *output = w->node->attr.pool.output;
    const struct shape image = {2, {output[0], output[1]}};
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Scale", link.name, link.from, link.to);
    Caffe__ScaleParameter *param = caffe_put_message(w, &caffe__scale_parameter__descriptor);
    float *factors = caffe_put_floats(w, (size_t)(output[0] * output[1]));

    if (factors == NULL)
        return;
    for (int64_t i = 0; i < output[0] * output[1]; i++) {
        struct divisors rows = find_divisors(w->node, pool, x, 0, i / output[1]);
        struct divisors columns = find_divisors(w->node, pool, x, 1, i % output[1]);

        factors[i] = (float)((double)(rows.caffe * columns.caffe) / (double)(rows.wanted * columns.wanted));
    }
    layer->scale_param = param;
    param->has_axis = param->has_num_axes = true;
    param->axis = ROWS;
    param->num_axes = 2;
    caffe_put_blob(w, layer, &image, factors);
}

/* ---- Parameters */

/* A number for both axes where all are squares, else pairs: some readers take either, but not both. */
static void put_window(Caffe__PoolingParameter *param, const struct window *win, const struct caffe_pool *pool)
{
    bool is_square =
        win->kernel[0] == win->kernel[1] && win->stride[0] == win->stride[1] && pool->pad[0] == pool->pad[1];

    param->kernel_size = param->kernel_h = (uint32_t)win->kernel[0];
    param->kernel_w = (uint32_t)win->kernel[1];
    param->stride = param->stride_h = (uint32_t)win->stride[0];
    param->stride_w = (uint32_t)win->stride[1];
    param->pad = param->pad_h = (uint32_t)pool->pad[0];
    param->pad_w = (uint32_t)pool->pad[1];
    param->has_kernel_size = is_square;
    param->has_stride = is_square && win->stride[0] != 1;
    param->has_pad = is_square && pool->pad[0] != 0;
    param->has_kernel_h = param->has_kernel_w = param->has_stride_h = param->has_stride_w = !is_square;
    param->has_pad_h = param->has_pad_w = !is_square;
    param->has_round_mode = pool->rounds_down;
    param->round_mode = CAFFE__POOLING_PARAMETER__ROUND_MODE__FLOOR;
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

/* Are there rows (columns) that are not wanted? */
static bool is_cut(const struct caffe_pool *pool, const int64_t *output, size_t k)
{
    return pool->made[k] != output[k];
}

/* The pool, cuts, the correction. */
static void put_restated(struct caffe_writer *w, const struct caffe_pool *pool, const struct shape *x)
{
    static const char *const whats[] = {"rows", "columns"};
    const int64_t *output = w->node->attr.pool.output;
    bool is_max = w->node->attr.pool.kind == POOL_MAX, is_exact = is_max || has_same_divisors(w->node, pool, x);
    struct caffe_chain chain = {w->from, (size_t)1 + is_cut(pool, output, 0) + is_cut(pool, output, 1) + !is_exact};
    struct caffe_link link = caffe_next_link(w, &chain, "pool");
    Caffe__PoolingParameter *param = put_pool(w, link.name, link.from, link.to, is_max);

    if (param == NULL)
        return;
    put_window(param, &w->node->attr.pool.window, pool);
    for (size_t k = 0; k < 2; k++) {
        if (!is_cut(pool, output, k))
            continue;
        link = caffe_next_link(w, &chain, whats[k]);
        caffe_put_parts(w, link.name, link.from, ROWS + k, pool->made[k],
                        &(struct caffe_part){pool->drop[k], pool->drop[k] + output[k], link.to}, 1);
    }
    if (!is_exact)
        put_correction(w, pool, x, caffe_next_link(w, &chain, "average"));
}

void caffe_write_pool(struct caffe_writer *w)
{
    struct caffe_pool pool;

    if (!is_expressible(w, &w->x, &pool))
        return;
    if (w->node->attr.pool.is_global)
        caffe_put_global_pool(w, w->node->name, w->from, w->to, w->node->attr.pool.kind == POOL_MAX);
    else
        put_restated(w, &pool, &w->x);
}
