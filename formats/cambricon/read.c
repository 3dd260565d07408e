/* read.c — a checkpoint in the network that its module was made of, see cambricon.h.
 *
 * Members of the module are named after nodes and constants, so the module of the same network tells which tensor is
 * what. Keys of quantized layers: Cambricon/catch, see checkpoint.c.
 */
#include "common/log.h"
#include "formats/cambricon/cambricon.h"
#include "formats/import_graph.h"
#include "formats/torch/weights.h"

#include <math.h>
#include <string.h>

struct reader {
    struct graph *graph;
    const struct module *module;
    struct torch_weights *file;
};

static int read_tensor(const struct reader *r, const char *name, const struct shape *shape, const float **numbers,
                       struct error *err)
{
    return torch_weights_read(r->file, name, shape, r->graph->arena, numbers, err);
}

/* ---- Weights */

/* <layer>.<what> becomes input `slot` of the node, for this node alone. */
static int read_weight(const struct reader *r, size_t n, size_t slot, const char *what, struct error *err)
{
    struct graph *graph = r->graph;
    char *name = arena_format(graph->arena, err, "%s.%s", r->module->layers[n], what);
    struct tensor tensor = {.dtype = DTYPE_FLOAT32};
    const float *numbers;
    int value;

    if (slot >= graph->nodes[n].n_inputs || graph->nodes[n].inputs[slot] == GRAPH_NONE)
        return 0;
    tensor.shape = graph->values[graph->nodes[n].inputs[slot]].shape;
    if (name == NULL || read_tensor(r, name, &tensor.shape, &numbers, err) != 0)
        return -1;
    tensor.data = numbers;
    value = graph_add_constant(graph, NULL, &tensor, err);
    if (value < 0)
        return -1;
    graph->nodes[n].inputs[slot] = value;
    return 0;
}

/* A constant that is a buffer of the module. What is no real number belongs to the network and must be the same. */
static int read_buffer(const struct reader *r, size_t v, const char *name, struct error *err)
{
    struct value *value = &r->graph->values[v];
    struct tensor own = {value->dtype, value->shape, value->data};
    const float *numbers;

    if (read_tensor(r, name, &value->shape, &numbers, err) != 0)
        return -1;
    for (int64_t i = 0; value->dtype != DTYPE_FLOAT32 && i < shape_elements(&value->shape); i++)
        if ((double)numbers[i] != tensor_real(&own, (size_t)i))
            return error_set(err, EX_DATAERR, "tensor \"%s\": expected %g at %lld as in the network, found %g", name,
                             tensor_real(&own, (size_t)i), (long long)i, (double)numbers[i]);
    if (value->dtype == DTYPE_FLOAT32)
        value->data = numbers;
    return 0;
}

static int read_buffers(const struct reader *r, size_t n_values, struct error *err)
{
    static const char member[] = "self.";

    for (size_t v = 0; v < n_values; v++) {
        const char *variable = r->module->variables[v];

        if (r->graph->values[v].is_constant && variable != NULL && strncmp(variable, member, sizeof member - 1) == 0 &&
            read_buffer(r, v, variable + sizeof member - 1, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- Codes */

/* Tensor <layer>.<what> of n numbers. 1, or 0 where the file has none; -1. */
static int find_numbers(const struct reader *r, const char *layer, const char *what, size_t n, const float **numbers,
                        struct error *err)
{
    const struct shape shape = {1, {(int64_t)n}};
    char *name = arena_format(r->graph->arena, err, "%s.%s", layer, what);

    if (name == NULL)
        return -1;
    if (!torch_weights_has(r->file, name))
        return 0;
    return read_tensor(r, name, &shape, numbers, err) == 0 ? 1 : -1;
}

/* S, of n codings, as steps: 1 / S. */
static struct coding *new_coding(const struct reader *r, int bits, const float *factors, size_t n, struct error *err)
{
    struct coding *coding = arena_create_array(r->graph->arena, 1, sizeof *coding, err);
    float *steps = coding == NULL ? NULL : arena_create_array(r->graph->arena, n, sizeof *steps, err);

    if (steps == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        steps[i] = 1 / factors[i];
        if (!isnormal(steps[i]) || steps[i] < 0 || !isfinite(steps[i] * INT16_MAX)) {
            error_set(err, EX_DATAERR, "scale %zu is %g", i, (double)factors[i]);
            return NULL;
        }
    }
    *coding = (struct coding){.codes = bits == 8 ? (struct code_range){INT8_MIN, INT8_MAX, 0}
                                                 : (struct code_range){INT16_MIN, INT16_MAX, 0},
                              .n_scales = n,
                              .scale = steps};
    return coding;
}

/* Codes 1 to 4 of quantized_mode: 8 bits, 16 bits, and the same with a scale an output channel. */
struct mode {
    int bits;
    bool is_per_channel;
};

static int read_mode(const struct reader *r, const char *layer, struct mode *mode, struct error *err)
{
    const float *code, *by_channel = NULL, *symmetry;
    int rc = find_numbers(r, layer, "quantized_mode", 1, &code, err);

    if (rc == 0)
        return error_set(err, EX_DATAERR, "it has scales, but no quantized_mode");
    if (rc < 0 || find_numbers(r, layer, "quantized_by_channel", 1, &by_channel, err) < 0)
        return -1;
    if (code[0] != 1 && code[0] != 2 && code[0] != 3 && code[0] != 4)
        return error_set(err, EX_DATAERR, "expected a quantized_mode of 1 to 4, found %g", (double)code[0]);
    *mode =
        (struct mode){code[0] == 1 || code[0] == 3 ? 8 : 16, code[0] > 2 || (by_channel != NULL && *by_channel != 0)};
    rc = find_numbers(r, layer, "use_symmetry", 1, &symmetry, err);
    if (rc > 0 && *symmetry != 1)
        return error_set(err, EX_UNAVAILABLE, "use_symmetry is %g: only symmetric codes are supported",
                         (double)*symmetry);
    return rc < 0 ? -1 : 0;
}

static int read_layer_codes(const struct reader *r, size_t n, const char *layer, struct error *err)
{
    struct graph *graph = r->graph;
    size_t channels = (size_t)graph->values[graph->nodes[n].outputs[0]].shape.dims[1];
    const float *factors, *of_channels;
    struct coding *input, *weights;
    struct mode mode = {0};
    int rc = find_numbers(r, layer, "scale", 2, &factors, err);

    if (rc <= 0) /* 0: it computes in float */
        return rc;
    if (read_mode(r, layer, &mode, err) != 0)
        return -1;
    of_channels = &factors[1];
    rc = mode.is_per_channel ? find_numbers(r, layer, "scale_weight_per_channel", channels, &of_channels, err) : 1;
    if (rc == 0)
        error_set(err, EX_DATAERR, "it has no scale_weight_per_channel");
    if (rc <= 0)
        return -1;
    input = new_coding(r, mode.bits, factors, 1, err);
    weights = input == NULL ? NULL : new_coding(r, mode.bits, of_channels, mode.is_per_channel ? channels : 1, err);
    if (weights == NULL)
        return -1;
    weights->is_to_be_coded = true;
    graph->values[graph->nodes[n].inputs[1]].coding = weights;
    return import_code_input(graph, n, input, err);
}

/* ---- The first convolution */

/* Means and divisors of bytes. The network stays one that is given normalised values, as that of its module is: the job
 * does it in front. */
static int read_firstconv(const struct reader *r, size_t n, const char *layer, struct error *err)
{
    const struct shape *x = &r->graph->values[r->graph->nodes[n].inputs[0]].shape;
    const struct shape shape = {4, {1, x->dims[1], 1, 1}};
    const float *mean, *std;
    char *mean_name = arena_format(r->graph->arena, err, "%s.input_mean", layer);
    char *std_name = mean_name == NULL ? NULL : arena_format(r->graph->arena, err, "%s.input_std", layer);

    if (std_name == NULL)
        return -1;
    if (x->rank != 4 || !torch_weights_has(r->file, mean_name))
        return 0;
    if (read_tensor(r, mean_name, &shape, &mean, err) != 0 || read_tensor(r, std_name, &shape, &std, err) != 0)
        return -1;
    for (int64_t i = 0; i < x->dims[1]; i++)
        if (!isfinite(mean[i]) || !isnormal(std[i]))
            return error_set(err, EX_DATAERR, "input_mean and input_std are %g and %g", (double)mean[i],
                             (double)std[i]);
    log_info("layer \"%s\" normalises bytes on the chip (firstconv): of channel 0, (x - %g) / %g; here the job's "
             "preprocessing does",
             layer, (double)mean[0], (double)std[0]);
    return 0;
}

/* ---- The whole */

static int read_all(const struct reader *r, struct error *err)
{
    size_t n_nodes = r->graph->n_nodes;

    if (read_buffers(r, r->graph->n_values, err) != 0)
        return -1;
    for (size_t n = 0; n < n_nodes; n++) {
        const char *layer = r->module->layers[n];
        enum op op = r->graph->nodes[n].op;

        if (layer == NULL)
            continue;
        if (read_weight(r, n, 1, "weight", err) != 0 || read_weight(r, n, 2, "bias", err) != 0)
            return -1;
        if ((op == OP_CONV || op == OP_DENSE) &&
            (read_layer_codes(r, n, layer, err) != 0 || read_firstconv(r, n, layer, err) != 0))
            return error_in(err, "layer \"%s\"", layer);
    }
    return torch_weights_finish(r->file, err);
}

int cambricon_read_checkpoint(struct graph *network, const char *path, struct error *err)
{
    struct torch_weights *file = torch_weights_open(path, err);
    struct module m = {0};
    struct reader r = {network, &m, file};
    int rc = -1;

    if (file == NULL)
        return -1; /* the message starts with the path */
    if (module_init(&m, network, err) == 0 && read_all(&r, err) == 0 && graph_sort(network, err) == 0)
        rc = graph_compact(network, err) == 0 ? graph_validate(network, err) : -1;
    if (rc != 0)
        error_in(err, "%s", path);
    module_fini(&m);
    torch_weights_close(file);
    return rc;
}
