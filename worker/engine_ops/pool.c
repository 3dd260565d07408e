/* pool.c — maximum and average pooling, in the layout the input has.
 *
 * The library knows two divisors: the window's whole area, or its part inside the image. The third, the window clipped
 * to image and pads (Caffe's and ONNX's rule for included pads), differs from the first where a window of ceil mode
 * hangs over the pads; those few nodes take the plain kernel.
 */
#include "worker/engine_private.h"

struct pool {
    dnnl_dims_t kernel, strides, dilates, pad_begin, pad_end;
    bool is_dilated, hangs_over, is_padded, sees_nothing;
};

static struct pool describe_window(const struct window *window, const int64_t *in, const int64_t *out)
{
    struct pool pool = {.is_dilated = false};

    for (size_t i = 0; i < 2; i++) {
        int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;

        pool.kernel[i] = window->kernel[i];
        pool.strides[i] = window->stride[i];
        pool.dilates[i] = window->dilation[i] - 1; /* the library counts from 0 */
        pool.pad_begin[i] = window->pad_begin[i];
        pool.pad_end[i] = (out[2 + i] - 1) * window->stride[i] + span - in[2 + i] - window->pad_begin[i];
        pool.is_dilated |= window->dilation[i] != 1;
        pool.hangs_over |= pool.pad_end[i] > window->pad_end[i];
        pool.is_padded |= window->pad_begin[i] > 0 || window->pad_end[i] > 0;
        /* A window entirely outside the image, or one whose taps can all miss it. */
        pool.sees_nothing |= pool.pad_begin[i] >= window->kernel[i] || pool.pad_end[i] >= window->kernel[i] ||
                             (pool.dilates[i] > 0 && (pool.pad_begin[i] > 0 || pool.pad_end[i] > 0));
    }
    return pool;
}

static dnnl_status_t describe(const struct pool *pool, dnnl_alg_kind_t kind, const dnnl_memory_desc_t *in,
                              const dnnl_memory_desc_t *out, const_dnnl_primitive_attr_t attr, dnnl_engine_t library,
                              dnnl_primitive_desc_t *pd)
{
    dnnl_pooling_v2_desc_t dilated;
    dnnl_pooling_desc_t plain;
    dnnl_status_t status;

    if (pool->is_dilated) {
        status = dnnl_pooling_v2_forward_desc_init(&dilated, dnnl_forward_inference, kind, in, out, pool->strides,
                                                   pool->kernel, pool->dilates, pool->pad_begin, pool->pad_end);
        return status == dnnl_success ? dnnl_primitive_desc_create(pd, &dilated, attr, library, NULL) : status;
    }
    status = dnnl_pooling_forward_desc_init(&plain, dnnl_forward_inference, kind, in, out, pool->strides, pool->kernel,
                                            pool->pad_begin, pool->pad_end);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &plain, attr, library, NULL) : status;
}

/* Adds a pool from value to value. *is_done is false when the library cannot. */
static int add_pool(struct engine *engine, const struct node *node, const struct pool *pool, dnnl_alg_kind_t kind,
                    bool *is_done, struct error *err)
{
    size_t block = engine_home(engine, node->inputs[0]);
    dnnl_memory_desc_t in = onednn_layout(engine->values[node->inputs[0]].dims, block);
    dnnl_memory_desc_t out = onednn_layout(engine->values[node->outputs[0]].dims, block);
    dnnl_primitive_attr_t attr = onednn_attributes((struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_primitive_desc_t pd;
    dnnl_status_t status;
    int from, to;

    if (attr == NULL || library == NULL)
        return -1;
    status = describe(pool, kind, &in, &out, attr, library, &pd);
    dnnl_primitive_attr_destroy(attr);
    *is_done = status != dnnl_unimplemented && status != dnnl_invalid_arguments;
    if (!*is_done)
        return 0;
    if (onednn_check(status, "describe a pool", err) != 0)
        return -1;
    if (engine_read(engine, node->inputs[0], block, &from, err) != 0 ||
        engine_write(engine, node->outputs[0], block, &to, err) != 0) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    return engine_add_unary(engine, pd, &in, from, &out, to, err);
}

int engine_build_pool(struct engine *engine, const struct node *node, struct error *err)
{
    struct pool pool = describe_window(&node->attr.pool.window, engine->values[node->inputs[0]].dims,
                                       engine->values[node->outputs[0]].dims);
    bool includes = node->attr.pool.count_include_pad && pool.is_padded, is_done = false;
    dnnl_alg_kind_t kind = dnnl_pooling_max;

    if (node->attr.pool.kind == POOL_AVERAGE)
        kind = includes ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
    if (!pool.sees_nothing && !(node->attr.pool.kind == POOL_AVERAGE && includes && pool.hangs_over) &&
        add_pool(engine, node, &pool, kind, &is_done, err) != 0)
        return -1;
    return is_done ? 0 : engine_build_reference(engine, node, err);
}

/* The mean over all rows and columns is a global average pool; other reductions take the plain kernel. */
int engine_build_reduce(struct engine *engine, const struct node *node, struct error *err)
{
    const int64_t *in = engine->values[node->inputs[0]].dims, *out = engine->values[node->outputs[0]].dims;
    const struct window window = {{in[2], in[3]}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
    const uint32_t rows_and_columns = 1u << 2 | 1u << 3;
    struct pool pool = describe_window(&window, in, out);
    bool is_done = false;

    if (node->attr.reduce.kind == REDUCE_MEAN && node->attr.reduce.axes == rows_and_columns &&
        engine->graph->values[node->inputs[0]].shape.rank == 4 && out[1] == in[1] &&
        add_pool(engine, node, &pool, dnnl_pooling_avg_exclude_padding, &is_done, err) != 0)
        return -1;
    return is_done ? 0 : engine_build_reference(engine, node, err);
}
