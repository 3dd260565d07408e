/* weights.c — resources of a TNN model as constants of the graph; see import.h. */
#include "formats/tnn/import.h"
#include "formats/tnn/tnn.h"

#include <string.h>

const struct tnn_resource *tnn_resource(const struct tnn_import *in, const struct tnn_layer *layer, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource_find(in->model, layer->name);

    if (resource == NULL)
        tnn_error(layer, err, EX_DATAERR, "%s holds no weights of this name", in->request->weights);
    return resource;
}

static int expect_count(const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw, int64_t n,
                        struct error *err)
{
    int64_t found = tnn_raw_count(raw);

    if (found == n)
        return 0;
    return tnn_error(layer, err, EX_DATAERR,
                     "its %s: expected %lld numbers, found %zu bytes of data type %d (%lld numbers)", what,
                     (long long)n, raw->size, raw->dtype, (long long)found);
}

static void copy_reals(struct tnn_import *in, const struct tnn_raw *raw, size_t n, float *out)
{
    if (raw->dtype == TNN_FLOAT32)
        memcpy(out, raw->data, n * sizeof *out);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (float)tnn_raw_real(raw, i);
    bytes_forget(in->weights, raw->data, raw->size);
}

/* Checks before anything is allocated. */
static int check_count(const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                       const struct shape *shape, struct error *err)
{
    int64_t n = shape_elements(shape);

    if (n <= 0)
        return tnn_error(layer, err, EX_DATAERR, "its %s would have no elements, or more than 2^31", what);
    return expect_count(layer, what, raw, n, err);
}

int tnn_raw_floats(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                   const struct shape *shape, const float **out, struct error *err)
{
    float *data;

    if (check_count(layer, what, raw, shape, err) != 0)
        return -1;
    data = arena_create_array(in->graph->arena, (size_t)shape_elements(shape), sizeof *data, err);
    if (data == NULL)
        return -1;
    copy_reals(in, raw, (size_t)shape_elements(shape), data);
    *out = data;
    return 0;
}

int tnn_raw_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                     const struct shape *shape, struct error *err)
{
    float *data;
    int value;

    if (check_count(layer, what, raw, shape, err) != 0)
        return -1;
    value = tnn_constant(in, layer, what, shape, &data, err);
    if (value >= 0)
        copy_reals(in, raw, (size_t)shape_elements(shape), data);
    return value;
}

int tnn_scaled_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                        const struct tnn_raw *raw, const struct tnn_raw *scale, const struct shape *shape,
                        struct error *err)
{
    float *data, step;
    int value;

    if (check_count(layer, what, raw, shape, err) != 0 || expect_count(layer, "scale", scale, 1, err) != 0)
        return -1;
    step = (float)tnn_raw_real(scale, 0);
    value = tnn_constant(in, layer, what, shape, &data, err);
    for (size_t i = 0; value >= 0 && i < (size_t)shape_elements(shape); i++)
        data[i] = (float)tnn_raw_integer(raw, i) * step;
    return value;
}

/* One buffer of scales or zero points: one number for all channels, or one each. */
struct per_channel {
    const struct tnn_raw *raw;
    bool is_single;
};

static double per_channel_at(const struct per_channel *values, int64_t channel)
{
    return tnn_raw_real(values->raw, values->is_single ? 0 : (size_t)channel);
}

static int read_per_channel(const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                            int64_t channels, struct per_channel *out, struct error *err)
{
    *out = (struct per_channel){raw, tnn_raw_count(raw) == 1};
    return out->is_single ? 0 : expect_count(layer, what, raw, channels, err);
}

/* What turns int8 weights of one layer back into floats. */
struct dequantizer {
    struct per_channel scale, zero_point, input; /* raw NULL: there is none */
    int64_t out_channels;
};

/* The scale of the layer's input blob, by which TNN has multiplied the weights. An inner product uses the first only.
 */
static int read_input_scale(struct tnn_import *in, const struct tnn_layer *layer, struct per_channel *out,
                            struct error *err)
{
    const struct shape *x = tnn_shape(in, graph_find_value(in->graph, layer->inputs.tokens[0]));
    const char *name = arena_format(in->graph->arena, err, "%s" TNN_SCALE_SUFFIX, layer->inputs.tokens[0]);
    const struct tnn_resource *blob;

    if (name == NULL)
        return -1;
    blob = tnn_resource_find(in->model, name);
    if (blob == NULL)
        return tnn_error(layer, err, EX_DATAERR, "it is quantized, but %s holds no scale \"%s\" of its input",
                         in->request->weights, name);
    if (read_per_channel(layer, "input's scale", &blob->scale, x->dims[1], out, err) != 0)
        return -1;
    out->is_single = out->is_single || strcmp(layer->type, "InnerProduct") == 0;
    return 0;
}

static int read_dequantizer(struct tnn_import *in, const struct tnn_layer *layer, const struct tnn_resource *resource,
                            int64_t out_channels, struct dequantizer *out, struct error *err)
{
    *out = (struct dequantizer){.out_channels = out_channels};
    if (read_per_channel(layer, "weight scale", &resource->scale, out_channels, &out->scale, err) != 0)
        return -1;
    if (resource->zero_point.size > 0 &&
        read_per_channel(layer, "zero point", &resource->zero_point, out_channels, &out->zero_point, err) != 0)
        return -1;
    return layer->is_quantized ? read_input_scale(in, layer, &out->input, err) : 0;
}

static float dequantized(const struct dequantizer *d, double q, int64_t out_channel, int64_t in_channel)
{
    double zero = d->zero_point.raw != NULL ? per_channel_at(&d->zero_point, out_channel) : 0;
    double input = d->input.raw != NULL ? per_channel_at(&d->input, in_channel) : 1;

    /* An input channel of scale 0 is dead: its weights have been multiplied by 0 and are lost, and do not matter. */
    return input == 0 ? 0.0f : (float)((q - zero) * per_channel_at(&d->scale, out_channel) / input);
}

/* weights: out x in-per-group x rest. The scale of the input is that of the channel within the whole input. */
static void dequantize_weights(const struct tnn_resource *resource, const struct dequantizer *d,
                               const struct shape *shape, int64_t groups, float *data)
{
    int64_t out = shape->dims[0], per_group = shape->dims[1], rest = 1;
    size_t i = 0;

    for (size_t k = 2; k < shape->rank; k++)
        rest *= shape->dims[k];
    for (int64_t o = 0; o < out; o++)
        for (int64_t c = 0; c < per_group; c++)
            for (int64_t r = 0; r < rest; r++, i++)
                data[i] = dequantized(d, tnn_raw_real(&resource->main, i), o, o / (out / groups) * per_group + c);
}

/* The codes of a quantized layer's weights or bias, in steps of the accumulator. */
static int note_codes(struct tnn_import *in, const struct tnn_layer *layer, const struct dequantizer *d, int value,
                      const struct tnn_raw *raw, bool has_zero_point, struct error *err)
{
    struct arena *arena = in->graph->arena;
    size_t n = (size_t)tnn_raw_count(raw), n_scales = (size_t)tnn_raw_count(d->scale.raw);
    struct coding *coding;
    int32_t *codes;
    float *scale;

    if (!layer->is_quantized)
        return 0;
    coding = arena_create_array(arena, 1, sizeof *coding, err);
    codes = coding == NULL ? NULL : arena_create_array(arena, n, sizeof *codes, err);
    scale = codes == NULL ? NULL : arena_create_array(arena, n_scales, sizeof *scale, err);
    if (scale == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        codes[i] = (int32_t)tnn_raw_integer(raw, i);
    for (size_t i = 0; has_zero_point && i < n; i++) /* of eight bits both */
        codes[i] -= (int32_t)per_channel_at(&d->zero_point, (int64_t)(i / (n / (size_t)d->out_channels)));
    for (size_t i = 0; i < n_scales; i++)
        scale[i] = (float)tnn_raw_real(d->scale.raw, i);
    *coding = (struct coding){.codes = {INT32_MIN, INT32_MAX, 0},
                              .n_scales = n_scales,
                              .scale = scale,
                              .constant = codes,
                              .has_input_scale = true};
    in->graph->values[value].coding = coding;
    return 0;
}

/* An int32 bias counts steps of the accumulator; any other is the bias itself. */
static int add_bias(struct tnn_import *in, const struct tnn_layer *layer, const struct tnn_resource *resource,
                    const struct dequantizer *d, int64_t out_channels, struct error *err)
{
    const struct shape shape = {.rank = 1, .dims = {out_channels}};
    float *data;
    int value;

    if (resource->bias.dtype != TNN_INT32)
        return tnn_raw_constant(in, layer, "bias", &resource->bias, &shape, err);
    if (d->scale.raw == NULL)
        return tnn_error(layer, err, EX_DATAERR, "its bias is of integers, but its weights have no scale");
    if (expect_count(layer, "bias", &resource->bias, out_channels, err) != 0)
        return -1;
    value = tnn_constant(in, layer, "bias", &shape, &data, err);
    for (int64_t o = 0; value >= 0 && o < out_channels; o++)
        data[o] = (float)(tnn_raw_real(&resource->bias, (size_t)o) * per_channel_at(&d->scale, o));
    return value < 0 || note_codes(in, layer, d, value, &resource->bias, false, err) != 0 ? -1 : value;
}

int tnn_weights(struct tnn_import *in, const struct tnn_layer *layer, const struct shape *weights, int64_t out_channels,
                int64_t groups, int *weight, int *bias, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    int64_t n = shape_elements(weights);
    struct dequantizer d = {0};
    float *data;

    if (resource == NULL)
        return -1;
    if (resource->main.dtype != TNN_INT8) {
        if (layer->is_quantized)
            return tnn_error(layer, err, EX_DATAERR, "it is quantized, but its weights are of data type %d",
                             resource->main.dtype);
        *weight = tnn_raw_constant(in, layer, "weight", &resource->main, weights, err);
    } else {
        if (n <= 0 || expect_count(layer, "weight", &resource->main, n, err) != 0)
            return n <= 0 ? tnn_error(layer, err, EX_DATAERR, "it would have no weights, or more than 2^31") : -1;
        if (strcmp(layer->type, "Deconvolution") == 0)
            return tnn_error(layer, err, EX_UNAVAILABLE, "deconvolutions with int8 weights are not supported");
        if (read_dequantizer(in, layer, resource, out_channels, &d, err) != 0)
            return -1;
        *weight = tnn_constant(in, layer, "weight", weights, &data, err);
        if (*weight >= 0)
            dequantize_weights(resource, &d, weights, groups, data);
        if (*weight >= 0 && note_codes(in, layer, &d, *weight, &resource->main, d.zero_point.raw != NULL, err) != 0)
            return -1;
    }
    *bias = GRAPH_NONE;
    if (*weight < 0)
        return -1;
    if (resource->bias.size > 0)
        *bias = add_bias(in, layer, resource, &d, out_channels, err);
    return resource->bias.size > 0 && *bias < 0 ? -1 : 0;
}
