/* ops_quantize.c — QuantizeLinear and DequantizeLinear: a network that was quantized already, read as a float network.
 *
 * Constants are computed with: int8 weights become the floats that they stand for, and float weights behind a pair of
 * the two are rounded as the file says. On activations a pair computes nothing here, but for the clip that
 * quantizers put in place of a ReLU; the range that its codes span stays with the value, as the threshold that the file
 * has chosen (value.coding).
 *
 * Either operator alone, at an input or output that is bytes, stands as a cast: it can be removed there, and
 * graph_validate refuses it where it stays.
 */
#include "formats/onnx/onnx_import.h"

#include <math.h>
#include <string.h>

_Static_assert(OP_COUNT <= 32, "operators fit a mask of 32 bits");

/* Scale and zero point: one of each, or one for each place along an axis, or for each block of neighbours along it and
 * each place along all others; and the codes there are. */
struct coding_tensors {
    struct tensor scale;
    struct tensor zero_point; /* no data: 0 */
    size_t axis;
    int64_t block; /* 0: no blocks; the last one may be short */
    int64_t lo, hi;
};

static int code_range(int64_t data_type, int64_t *lo, int64_t *hi, struct error *err)
{
    static const struct {
        int64_t data_type, lo, hi;
    } ranges[] = {
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 0, UINT8_MAX},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, INT8_MIN, INT8_MAX},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 0, UINT16_MAX},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, INT16_MIN, INT16_MAX},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, INT32_MIN, INT32_MAX},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].data_type == data_type) {
            *lo = ranges[i].lo;
            *hi = ranges[i].hi;
            return 0;
        }
    return error_set(err, EX_UNAVAILABLE, "codes of type %s are not supported", onnx_dtype_name(data_type));
}

/* Blocks: as many scales as x has elements, but for one in `block` along the axis. */
static int check_blocks(const struct shape *x, const struct coding_tensors *coding, struct error *err)
{
    const struct shape *scales = &coding->scale.shape;

    if (coding->block < 0 || scales->rank != x->rank)
        return error_set(err, EX_DATAERR, "blocks of %lld: expected scales of %zu axes, found %zu",
                         (long long)coding->block, x->rank, scales->rank);
    for (size_t k = 0; k < x->rank; k++) {
        int64_t expected = x->dims[k];

        if (k == coding->axis)
            expected = expected / coding->block + (expected % coding->block != 0);
        if (scales->dims[k] != expected)
            return error_set(
                err, EX_DATAERR, "blocks of %lld along axis %zu: expected %lld scales along axis %zu, found %lld",
                (long long)coding->block, coding->axis, (long long)expected, k, (long long)scales->dims[k]);
    }
    return 0;
}

/* Where scales lie along an axis, x has that axis and its length. */
static int read_axis(const struct onnx_import *in, const struct onnx_node *node, struct coding_tensors *out,
                     struct error *err)
{
    const struct shape *x = onnx_shape(in, onnx_input(node, 0));
    int64_t wanted;

    if (onnx_int(node, "axis", 1, &wanted, err) != 0 || onnx_int(node, "block_size", 0, &out->block, err) != 0)
        return -1;
    if (out->block == 0 && shape_elements(&out->scale.shape) == 1)
        return 0;
    if (out->block == 0 && out->scale.shape.rank != 1)
        return error_set(err, EX_DATAERR, "expected one scale, or a list, found %zu axes", out->scale.shape.rank);
    if (import_axis(wanted, x->rank, &out->axis, err) != 0)
        return -1;
    if (out->block != 0)
        return check_blocks(x, out, err);
    if (x->dims[out->axis] != out->scale.shape.dims[0])
        return error_set(err, EX_DATAERR, "%lld scales for an axis of %lld", (long long)out->scale.shape.dims[0],
                         (long long)x->dims[out->axis]);
    return 0;
}

/* `codes` is the value whose element type tells the range: the zero point, or what is to be dequantized; GRAPH_NONE:
 * uint8. */
static int read_coding(const struct onnx_import *in, const struct onnx_node *node, int codes,
                       struct coding_tensors *out, struct error *err)
{
    int64_t n;

    *out = (struct coding_tensors){.axis = 0};
    if (onnx_constant(in, node, 1, &out->scale, err) != 0 ||
        (onnx_input(node, 2) != GRAPH_NONE && onnx_constant(in, node, 2, &out->zero_point, err) != 0) ||
        read_axis(in, node, out, err) != 0)
        return -1;
    n = shape_elements(&out->scale.shape);
    if (out->scale.dtype != DTYPE_FLOAT32 || n < 1 ||
        (out->zero_point.data != NULL &&
         (out->zero_point.dtype != DTYPE_INT64 || shape_elements(&out->zero_point.shape) != n)))
        return error_set(err, EX_DATAERR, "expected float32 scales and as many integral zero points");
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(((const float *)out->scale.data)[i]) || ((const float *)out->scale.data)[i] <= 0)
            return error_set(err, EX_DATAERR, "scale %lld is %g", (long long)i,
                             (double)((const float *)out->scale.data)[i]);
    return code_range(codes == GRAPH_NONE ? ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 : onnx_element_type(in, codes),
                      &out->lo, &out->hi, err);
}

static struct code_range code_range_of(const struct coding_tensors *coding)
{
    int64_t zero = coding->zero_point.data == NULL ? 0 : tensor_integer(&coding->zero_point, 0);

    return (struct code_range){(int32_t)coding->lo, (int32_t)coding->hi, (int32_t)zero};
}

/* --- constants --- */

/* Codes of another type than their zero point's may be any number. */
static int check_codes(const struct tensor *codes, const struct coding_tensors *coding, struct error *err)
{
    for (int64_t i = 0; i < shape_elements(&codes->shape); i++) {
        int64_t code = tensor_integer(codes, (size_t)i);

        if (code < coding->lo || code > coding->hi)
            return error_set(err, EX_DATAERR, "code %lld is %lld: expected %lld to %lld", (long long)i, (long long)code,
                             (long long)coding->lo, (long long)coding->hi);
    }
    return 0;
}

/* Which scale element i of a tensor has. */
static size_t scale_of(const struct coding_tensors *coding, const struct shape *x, size_t i)
{
    int64_t inner = 1, outer, at;

    if (shape_elements(&coding->scale.shape) == 1)
        return 0;
    for (size_t k = coding->axis + 1; k < x->rank; k++)
        inner *= x->dims[k];
    outer = (int64_t)i / inner / x->dims[coding->axis];
    at = (int64_t)i / inner % x->dims[coding->axis];
    if (coding->block == 0)
        return (size_t)at;
    return (size_t)((outer * coding->scale.shape.dims[coding->axis] + at / coding->block) * inner + (int64_t)i % inner);
}

static void fold_element(const struct tensor *x, const struct coding_tensors *coding, bool is_quantize, size_t i,
                         void *data)
{
    size_t at = scale_of(coding, &x->shape, i);
    float scale = ((const float *)coding->scale.data)[at];
    int64_t zero = coding->zero_point.data == NULL ? 0 : tensor_integer(&coding->zero_point, at);

    if (is_quantize) {
        double code = rint((double)((float)tensor_real(x, i) / scale)) + (double)zero; /* half to even */

        code = code > (double)coding->lo ? code : (double)coding->lo; /* NaN, too */
        ((int64_t *)data)[i] = (int64_t)(code < (double)coding->hi ? code : (double)coding->hi);
    } else {
        ((float *)data)[i] = (float)(tensor_integer(x, i) - zero) * scale;
    }
}

/* Codes of 32 bits, which floats cannot hold; NULL with EX_OSERR, or where some code less its zero point needs more. */
static const int32_t *wide_codes(struct graph *graph, const struct tensor *x, const struct coding_tensors *coding,
                                 struct error *err)
{
    size_t n = (size_t)shape_elements(&x->shape);
    int32_t *codes = arena_create_array(graph->arena, n, sizeof *codes, err);

    for (size_t i = 0; codes != NULL && i < n; i++) {
        int64_t zero =
            coding->zero_point.data == NULL ? 0 : tensor_integer(&coding->zero_point, scale_of(coding, &x->shape, i));
        int64_t code = tensor_integer(x, i) - zero;

        if (code < INT32_MIN || code > INT32_MAX) {
            error_set(err, EX_DATAERR, "code %zu less its zero point is %lld", i, (long long)code);
            return NULL;
        }
        codes[i] = (int32_t)code;
    }
    return codes;
}

/* The value that a DequantizeLinear makes of codes remembers them. Of a constant, codes are meant less the zero point.
 * Codes by blocks are forgotten: no accumulator of integers can add them up, so whoever reads these weights computes in
 * float, as ONNX Runtime does. */
static int note_coding(struct onnx_import *in, int value, const struct coding_tensors *coding,
                       const struct tensor *codes, struct error *err)
{
    struct coding *note;

    if (coding->block != 0)
        return 0;
    note = arena_create_array(in->graph->arena, 1, sizeof *note, err);
    if (note == NULL)
        return -1;
    *note = (struct coding){.codes = code_range_of(coding),
                            .n_scales = (size_t)shape_elements(&coding->scale.shape),
                            .axis = coding->axis,
                            .scale = coding->scale.data};
    if (codes != NULL) {
        note->codes.zero_point = 0;
        if (coding->hi == INT32_MAX && (note->constant = wide_codes(in->graph, codes, coding, err)) == NULL)
            return -1;
    }
    in->graph->values[value].coding = note;
    return 0;
}

static int fold_constant(struct onnx_import *in, const struct onnx_node *node, const struct tensor *x,
                         const struct coding_tensors *coding, bool is_quantize, struct error *err)
{
    const char *name = node->proto->output[0];
    enum dtype dtype = is_quantize ? DTYPE_INT64 : DTYPE_FLOAT32;
    size_t n = (size_t)shape_elements(&x->shape);
    void *data;
    int value;

    if (!is_quantize && check_codes(x, coding, err) != 0)
        return -1;
    value = graph_create_constant(in->graph, name[0] == '\0' ? NULL : name, dtype, &x->shape, &data, err);
    if (value < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        fold_element(x, coding, is_quantize, i, data);
    if (!is_quantize)
        return note_coding(in, value, coding, x, err);
    onnx_note_type(in, value,
                   onnx_input(node, 2) == GRAPH_NONE ? ONNX__TENSOR_PROTO__DATA_TYPE__UINT8
                                                     : onnx_element_type(in, onnx_input(node, 2)));
    return 0;
}

/* --- activations --- */

static int add_cast(struct onnx_import *in, const struct onnx_node *node, enum dtype dtype, struct error *err)
{
    return onnx_put_cast(in, node, dtype, onnx_input(node, 0), NULL, err);
}

int onnx_build_quantize(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int zero_point = onnx_input(node, 2), y;
    struct coding_tensors coding;
    struct tensor x;

    if (read_coding(in, node, zero_point, &coding, err) != 0)
        return -1;
    if (graph_constant(in->graph, onnx_input(node, 0), &x))
        return fold_constant(in, node, &x, &coding, true, err);
    if (coding.block != 0 || shape_elements(&coding.scale.shape) != 1)
        return error_set(err, EX_UNAVAILABLE, "activations with several scales are not supported");
    y = add_cast(in, node, zero_point == GRAPH_NONE ? DTYPE_UINT8 : DTYPE_INT64, err);
    return y < 0 ? -1 : note_coding(in, y, &coding, NULL, err);
}

/* The float value that a QuantizeLinear with the same coding made the codes x of; GRAPH_NONE: there is none. */
static int find_quantized(const struct onnx_import *in, int x, const struct coding_tensors *coding)
{
    const struct graph *graph = in->graph;
    int producer = graph->values[x].producer;
    struct coding wanted = {.codes = code_range_of(coding), .n_scales = 1, .scale = coding->scale.data};

    if (producer == GRAPH_NONE || strcmp(graph->nodes[producer].type, "QuantizeLinear") != 0 ||
        graph->nodes[producer].op != OP_CAST || graph->values[x].coding == NULL ||
        !coding_equal(graph->values[x].coding, &wanted))
        return GRAPH_NONE;
    return graph->nodes[producer].inputs[0];
}

/* Codes that begin at 0, right behind a linear operator: quantizers drop the ReLU (or ReLU6) there, since saturation
 * does the same. */
static bool stands_for_relu(const struct graph *graph, int from, const struct coding_tensors *coding)
{
    const uint32_t linear =
        1U << OP_CONV | 1U << OP_DECONV | 1U << OP_DENSE | 1U << OP_MATMUL | 1U << OP_BINARY | 1U << OP_NORMALIZE;
    int producer = graph->values[from].producer;

    return code_range_of(coding).zero_point == coding->lo && producer != GRAPH_NONE &&
           (linear >> graph->nodes[producer].op & 1) != 0;
}

/* The pair between the float value and the node's output. */
static int join(struct onnx_import *in, const struct onnx_node *node, int from, const struct coding_tensors *coding,
                struct error *err)
{
    struct node draft = {.op = OP_IDENTITY, .inputs = &from, .n_inputs = 1};
    float scale = ((const float *)coding->scale.data)[0];
    int to;

    if (stands_for_relu(in->graph, from, coding)) {
        draft.op = OP_ACTIVATION;
        draft.attr.activation = (struct activation){ACTIVATION_CLIP, 0, (float)(coding->hi - coding->lo) * scale};
    }
    to = onnx_add(in, node, &draft, err);
    return to < 0 ? -1 : note_coding(in, to, coding, NULL, err);
}

int onnx_build_dequantize(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int codes = onnx_input(node, 0), zero_point = onnx_input(node, 2), from;
    struct coding_tensors coding;
    struct tensor x;

    if (read_coding(in, node,
                    zero_point != GRAPH_NONE               ? zero_point
                    : in->graph->values[codes].is_constant ? codes
                                                           : zero_point,
                    &coding, err) != 0)
        return -1;
    if (graph_constant(in->graph, codes, &x))
        return fold_constant(in, node, &x, &coding, false, err);
    if (coding.block != 0 || shape_elements(&coding.scale.shape) != 1)
        return error_set(err, EX_UNAVAILABLE, "activations with several scales are not supported");
    from = find_quantized(in, codes, &coding);
    if (from == GRAPH_NONE)
        return add_cast(in, node, DTYPE_FLOAT32, err) < 0 ? -1 : 0;
    return join(in, node, from, &coding, err);
}
