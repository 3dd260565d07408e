/* conv.c — convolution and deconvolution, with the activation fused where the library can.
 *
 * The library chooses the layouts of image and weights: 2.6 mostly nhwc on AVX-512, blocks of 8 below. Forcing blocks
 * of 16 on AVX-512 made no difference beyond the noise on the networks of tests/bench. Where its choice is none that
 * views can express, ours are tried, widest block first.
 */
#include "worker/engine_private.h"

struct conv {
    bool is_deconv;
    dnnl_memory_desc_t weights, bias; /* as in the graph; `weights` has a group axis when there are groups */
    bool has_bias;
    dnnl_dims_t strides, dilates, pad_begin, pad_end;
    const int64_t *in, *out; /* four dimensions */
};

/* Graph layout: conv [O, I/g, kh, kw], deconv [I, O/g, kh, kw]. The library wants [g?, O/g, I/g, kh, kw] for both. */
static dnnl_memory_desc_t describe_weights(const struct conv *conv, const struct window *window, int64_t group)
{
    int64_t o = conv->out[1] / group, i = conv->in[1] / group, taps = window->kernel[0] * window->kernel[1];
    int64_t o_stride = conv->is_deconv ? taps : i * taps, i_stride = conv->is_deconv ? o * taps : taps;
    const int64_t dims[] = {group, o, i, window->kernel[0], window->kernel[1]};
    const int64_t strides[] = {o * i * taps, o_stride, i_stride, window->kernel[1], 1};
    size_t skip = group == 1 ? 1 : 0;

    return onednn_strided(dims + skip, strides + skip, 5 - skip);
}

static void describe(const struct engine *engine, const struct node *node, struct conv *conv)
{
    const struct window *window = &node->attr.conv.window;

    *conv = (struct conv){.is_deconv = node->op == OP_DECONV,
                          .has_bias = engine_constant(engine, node, 2) != NULL,
                          .in = engine->values[node->inputs[0]].dims,
                          .out = engine->values[node->outputs[0]].dims};
    for (size_t i = 0; i < 2; i++) {
        int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t covered = conv->is_deconv ? (conv->in[2 + i] - 1) * window->stride[i] + span - conv->out[2 + i]
                                          : (conv->out[2 + i] - 1) * window->stride[i] + span - conv->in[2 + i];

        conv->strides[i] = window->stride[i];
        conv->dilates[i] = window->dilation[i] - 1; /* the library counts from 0 */
        conv->pad_begin[i] = window->pad_begin[i];
        conv->pad_end[i] = covered - window->pad_begin[i]; /* what the sizes imply: less where the rounding left rest */
    }
    conv->weights = describe_weights(conv, window, node->attr.conv.group);
    conv->bias = onednn_plain(&conv->out[1], 1);
}

/* What was chosen: the primitive, and the layouts of its image operands. */
struct choice {
    dnnl_primitive_desc_t pd;
    size_t block_in, block_out;
    bool is_fused; /* the activation is a post-operation */
};

static dnnl_status_t create(const struct conv *conv, size_t block, const_dnnl_primitive_attr_t attr,
                            dnnl_engine_t library, dnnl_primitive_desc_t *pd)
{
    dnnl_memory_desc_t in = onednn_layout(conv->in, block), out = onednn_layout(conv->out, block);
    dnnl_memory_desc_t weights = onednn_any(conv->weights.dims, (size_t)conv->weights.ndims);
    const dnnl_memory_desc_t *bias = conv->has_bias ? &conv->bias : NULL;
    dnnl_convolution_desc_t desc;
    dnnl_status_t status;

    if (conv->is_deconv)
        status = dnnl_dilated_deconvolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_deconvolution_direct,
                                                              &in, &weights, bias, &out, conv->strides, conv->dilates,
                                                              conv->pad_begin, conv->pad_end);
    else
        status = dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &in,
                                                            &weights, bias, &out, conv->strides, conv->dilates,
                                                            conv->pad_begin, conv->pad_end);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, attr, library, NULL) : status;
}

static dnnl_status_t choose_layouts(const struct conv *conv, const_dnnl_primitive_attr_t attr, dnnl_engine_t library,
                                    struct choice *choice)
{
    static const size_t blocks[] = {0, 16, 8, 1}; /* 0: the library's own */
    dnnl_status_t status = dnnl_unimplemented;

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks && status == dnnl_unimplemented; i++) {
        status = create(conv, blocks[i], attr, library, &choice->pd);
        if (status != dnnl_success)
            continue;
        choice->block_in = onednn_block(dnnl_primitive_desc_query_md(choice->pd, dnnl_query_src_md, 0));
        choice->block_out = onednn_block(dnnl_primitive_desc_query_md(choice->pd, dnnl_query_dst_md, 0));
        if (choice->block_in == 0 || choice->block_out == 0) {
            dnnl_primitive_desc_destroy(choice->pd);
            status = dnnl_unimplemented;
        }
    }
    return status;
}

/* With the activation as a post-operation where the library can do that. */
static int choose(const struct conv *conv, struct activation fused, struct choice *choice, struct error *err)
{
    dnnl_engine_t library = onednn_engine(err);
    dnnl_status_t status = dnnl_unimplemented;

    choice->is_fused = engine_fuses(fused);
    for (int attempt = 0; attempt < 2 && status == dnnl_unimplemented; attempt++) {
        dnnl_primitive_attr_t attr;

        choice->is_fused = choice->is_fused && attempt == 0;
        attr = onednn_attributes(choice->is_fused ? fused : (struct activation){0}, err);
        if (attr == NULL || library == NULL)
            return -1;
        status = choose_layouts(conv, attr, library, choice);
        dnnl_primitive_attr_destroy(attr);
    }
    return onednn_check(status, "describe a convolution", err);
}

/* Reads the image, writes the result, in the layouts chosen. Takes choice->pd, even on failure. */
static int add_step(struct engine *engine, const struct node *node, const struct conv *conv,
                    const struct choice *choice, struct error *err)
{
    /* The library's own descriptions: a layout may have two (onednn_block). */
    dnnl_memory_desc_t in = *dnnl_primitive_desc_query_md(choice->pd, dnnl_query_src_md, 0);
    dnnl_memory_desc_t out = *dnnl_primitive_desc_query_md(choice->pd, dnnl_query_dst_md, 0);
    dnnl_memory_desc_t weights = *dnnl_primitive_desc_query_md(choice->pd, dnnl_query_weights_md, 0);
    const void *weights_data = NULL;
    struct engine_step *step = NULL;
    int from = -1, to = -1;

    if (engine_get_weights(engine, node, 1, &conv->weights, &weights, &weights_data, err) == 0 &&
        engine_read(engine, node->inputs[0], choice->block_in, &from, err) == 0 &&
        engine_write(engine, node->outputs[0], choice->block_out, &to, err) == 0)
        step = engine_add_step(engine, 4, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(choice->pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC, &in, from);
    engine_bind(engine, step, DNNL_ARG_DST, &out, to);
    engine_bind_fixed(step, DNNL_ARG_WEIGHTS, &weights, weights_data);
    if (conv->has_bias)
        engine_bind_fixed(step, DNNL_ARG_BIAS, &conv->bias, engine_constant(engine, node, 2));
    if (engine_set_primitive(engine, step, choice->pd, err) != 0)
        return -1;
    return choice->is_fused ? 0 : engine_add_activation(engine, conv->out, choice->block_out, node->fused, to, to, err);
}

int engine_build_conv(struct engine *engine, const struct node *node, struct error *err)
{
    struct choice choice = {0};
    struct conv conv;

    if (engine_constant(engine, node, 1) == NULL)
        return error_set(err, EX_UNAVAILABLE, "weights are not constant");
    describe(engine, node, &conv);
    return choose(&conv, node->fused, &choice, err) != 0 ? -1 : add_step(engine, node, &conv, &choice, err);
}
