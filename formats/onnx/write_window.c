/* write_window.c — convolutions, pools and resizing in the words of the opset that is written (11, 13, 21); see
 * write_ops.h. */
#include "formats/onnx/write_ops.h"

#include <math.h>

/* Window attributes for one or two spatial axes. */
static void write_window(const struct onnx_job *job, const struct window *w, const int64_t pad_end[2],
                         bool has_dilations)
{
    size_t spatial = job->x->rank - 2, first = 2 - spatial;
    int64_t pads[4];

    for (size_t i = 0; i < spatial; i++) {
        pads[i] = w->pad_begin[first + i];
        pads[spatial + i] = pad_end[first + i];
    }
    onnx_writer_ints(job->writer, "kernel_shape", w->kernel + first, spatial);
    onnx_writer_ints(job->writer, "strides", w->stride + first, spatial);
    onnx_writer_ints(job->writer, "pads", pads, 2 * spatial);
    if (has_dilations)
        onnx_writer_ints(job->writer, "dilations", w->dilation + first, spatial);
}

void onnx_write_conv(const struct onnx_job *job)
{
    const struct window *w = &job->node->attr.conv.window;
    bool is_transposed = job->node->op == OP_DECONV;

    onnx_job_add(job, is_transposed ? "ConvTranspose" : "Conv", job->n_inputs);
    write_window(job, w, w->pad_end, true);
    onnx_writer_int(job->writer, "group", job->node->attr.conv.group);
    if (is_transposed)
        onnx_writer_ints(job->writer, "output_padding", job->node->attr.conv.output_padding + 4 - job->x->rank,
                         job->x->rank - 2);
}

/* End pads with which rounding down gives the pool's own output size. They exceed the declared ones where the pool
 * rounds up; that changes nothing for a maximum, nor for an average that does not count padding. */
static bool find_pool_pads(const struct onnx_job *job, int64_t pad_end[2])
{
    const struct window *w = &job->node->attr.pool.window;
    bool is_exact = true;

    for (size_t i = 0; i < job->x->rank - 2; i++) {
        size_t k = i + 4 - job->x->rank;
        int64_t in = job->x->dims[2 + i], out = job->node->attr.pool.output[k];

        pad_end[k] = w->pad_end[k];
        if (pool_output_size(in, w->kernel[k], w->stride[k], w->dilation[k], w->pad_begin[k], w->pad_end[k], false,
                             false) == out)
            continue;
        is_exact = false;
        pad_end[k] = (out - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - in - w->pad_begin[k];
    }
    return is_exact;
}

void onnx_write_pool(const struct onnx_job *job)
{
    bool is_max = job->node->attr.pool.kind == POOL_MAX, counts_pads = job->node->attr.pool.count_include_pad, is_exact;
    const struct window *w = &job->node->attr.pool.window;
    int64_t pad_end[2] = {0};

    if (job->node->attr.pool.is_global) {
        onnx_job_add(job, is_max ? "GlobalMaxPool" : "GlobalAveragePool", 1);
        return;
    }
    is_exact = find_pool_pads(job, pad_end);
    if (!is_max && (w->dilation[0] != 1 || w->dilation[1] != 1)) {
        onnx_job_fail(job, "an average pool with dilations needs opset 19");
        return;
    }
    onnx_job_add(job, is_max ? "MaxPool" : "AveragePool", 1);
    /* what hangs over the declared pads is not counted, so here they must stay, and the runtime rounds up by itself */
    write_window(job, w, !is_max && counts_pads ? w->pad_end : pad_end, is_max);
    if (!is_max)
        onnx_writer_int(job->writer, "count_include_pad", counts_pads);
    onnx_writer_int(job->writer, "ceil_mode", !is_max && counts_pads && !is_exact);
}

/* out / in as a scale with which a runtime's floor(in * scale) gives the output's size. */
static float find_scale(int64_t in, int64_t out, float wanted)
{
    float scale = wanted;

    if ((int64_t)floorf((float)in * scale) != out)
        scale = (float)out / (float)in;
    for (int i = 0; i < 4 && (int64_t)floorf((float)in * scale) < out; i++)
        scale = nextafterf(scale, INFINITY);
    return scale;
}

void onnx_write_resize(const struct onnx_job *job)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
    const struct shape *y = &job->gw->graph->values[job->node->outputs[0]].shape;
    struct tensor scales = {DTYPE_FLOAT32, {.rank = 1, .dims = {(int64_t)y->rank}}, NULL};
    float *data = onnx_writer_memory(job->writer, y->rank, sizeof *data);
    const char *inputs[] = {job->inputs[0], "", onnx_job_name(job, "scales")};
    static const struct tensor no_region = {DTYPE_FLOAT32, {.rank = 1, .dims = {0}}, (void *)(uintptr_t) ""};

    if (onnx_writer_opset(job->writer) < 13) { /* which know no omitted one */
        inputs[1] = onnx_job_name(job, "roi");
        onnx_writer_tensor(job->writer, inputs[1], &no_region);
    }
    for (size_t i = 0; data != NULL && i < y->rank; i++)
        data[i] = i < 2 ? 1 : find_scale(job->x->dims[i], y->dims[i], job->node->attr.resize.scale[i + 2 - y->rank]);
    scales.data = data;
    onnx_writer_tensor(job->writer, inputs[2], &scales);
    onnx_writer_node(job->writer, "Resize", job->node->name, inputs, 3, job->output);
    onnx_writer_string(job->writer, "mode", modes[job->node->attr.resize.mode]);
    onnx_writer_string(job->writer, "coordinate_transformation_mode", coordinates[job->node->attr.resize.coordinates]);
    onnx_writer_string(job->writer, "nearest_mode", roundings[job->node->attr.resize.rounding]);
    onnx_writer_float(job->writer, "cubic_coeff_a", job->node->attr.resize.cubic_a);
}
