/* networks.c — SqueezeNet 1.1, ResNet-50, MobileNet and a small residual network; see networks.h. */
#include "networks.h"

#include <math.h>
#include <string.h>

struct builder {
    struct graph *graph;
    uint64_t state;
    struct error *err;
    bool has_failed; /* once true, every call does nothing */
};

/* Knuth's multiplier; the upper bits are uniform enough for weights. */
static double draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1; /* [-1, 1) */
}

void network_draw_input(uint64_t seed, float *x, size_t n)
{
    uint64_t state = seed * 2862933555777941757u + 3037000493u;

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * draw(&state));
}

/* Uniform in [-bound, bound). */
static int add_weights(struct builder *b, struct shape shape, double bound)
{
    size_t n = (size_t)shape_elements(&shape);
    float *data = arena_create_array(b->graph->arena, n, sizeof *data, b->err);
    struct tensor tensor = {DTYPE_FLOAT32, shape, data};

    if (data == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        data[i] = (float)(draw(&b->state) * bound);
    return graph_add_constant(b->graph, NULL, &tensor, b->err);
}

/* Adds a node like `like` (operator, attributes, fused activation) and infers its shape; returns its output. */
static int add_node(struct builder *b, const struct node *like, const int *inputs, size_t n, const char *name)
{
    int output = b->has_failed ? -1 : graph_add_value(b->graph, name, DTYPE_FLOAT32, NULL, b->err);
    int node = output < 0 ? -1 : graph_add_node(b->graph, like->op, name, NULL, inputs, n, &output, 1, b->err);

    if (node >= 0) {
        b->graph->nodes[node].attr = like->attr;
        b->graph->nodes[node].fused = like->fused;
    }
    if (node < 0 || graph_fold_node(b->graph, node, b->err) != 0)
        b->has_failed = true;
    return b->has_failed ? 0 : output;
}

static int64_t channels_of(const struct builder *b, int value)
{
    return b->has_failed ? 1 : b->graph->values[value].shape.dims[1];
}

struct conv {
    int64_t channels, kernel, stride, pad, group, dilation; /* group and dilation: 0 means 1 */
    enum activation_kind fused;
};

static int add_conv(struct builder *b, int x, struct conv conv)
{
    int64_t group = conv.group == 0 ? 1 : conv.group, dilation = conv.dilation == 0 ? 1 : conv.dilation;
    int64_t channels = channels_of(b, x) / group, fan_in = channels * conv.kernel * conv.kernel;
    struct node like = {.op = OP_CONV, .fused = {conv.fused, 0, 6}};
    double bound = sqrt((conv.fused == ACTIVATION_NONE ? 3.0 : 6.0) / (double)fan_in);
    int inputs[3] = {x, -1, -1};

    if (b->has_failed)
        return 0;
    like.attr.conv.group = group;
    like.attr.conv.window = (struct window){{conv.kernel, conv.kernel},
                                            {conv.stride, conv.stride},
                                            {dilation, dilation},
                                            {conv.pad, conv.pad},
                                            {conv.pad, conv.pad}};
    inputs[1] = add_weights(b, (struct shape){4, {conv.channels, channels, conv.kernel, conv.kernel}}, bound);
    inputs[2] = add_weights(b, (struct shape){1, {conv.channels}}, 0.1);
    b->has_failed = inputs[1] < 0 || inputs[2] < 0;
    return add_node(b, &like, inputs, 3, NULL);
}

/* Rows and columns round up, as in Caffe, when ceil_mode. */
static int add_pool(struct builder *b, int x, enum pool_kind kind, int64_t kernel, int64_t stride, int64_t pad,
                    bool ceil_mode)
{
    struct node like = {.op = OP_POOL};

    if (b->has_failed)
        return 0;
    like.attr.pool.kind = kind;
    like.attr.pool.window = (struct window){{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}};
    for (size_t i = 0; i < 2; i++)
        like.attr.pool.output[i] =
            pool_output_size(b->graph->values[x].shape.dims[2 + i], kernel, stride, 1, pad, pad, ceil_mode, true);
    return add_node(b, &like, &x, 1, NULL);
}

static int add_global_average(struct builder *b, int x)
{
    struct node like = {.op = OP_POOL};

    like.attr.pool.kind = POOL_AVERAGE;
    like.attr.pool.is_global = true;
    like.attr.pool.window = (struct window){{0, 0}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
    return add_node(b, &like, &x, 1, NULL);
}

static int add_two(struct builder *b, int x, int y, enum activation_kind fused)
{
    struct node like = {.op = OP_BINARY, .fused = {fused, 0, 0}};

    like.attr.binary.kind = BINARY_ADD;
    return add_node(b, &like, (int[]){x, y}, 2, NULL);
}

static int add_concat(struct builder *b, int x, int y)
{
    struct node like = {.op = OP_CONCAT};

    like.attr.axis = 1;
    return add_node(b, &like, (int[]){x, y}, 2, NULL);
}

static int add_flatten(struct builder *b, int x)
{
    struct shape flat = {2, {1, 1}};
    int output, node;

    if (b->has_failed)
        return 0;
    flat.dims[1] = shape_elements(&b->graph->values[x].shape);
    output = graph_add_value(b->graph, NULL, DTYPE_FLOAT32, &flat, b->err);
    node = output < 0 ? -1 : graph_add_node(b->graph, OP_RESHAPE, NULL, NULL, &x, 1, &output, 1, b->err);
    b->has_failed = node < 0 || graph_fold_node(b->graph, node, b->err) != 0;
    return b->has_failed ? 0 : output;
}

static int add_dense(struct builder *b, int x, int64_t outputs)
{
    struct node like = {.op = OP_DENSE};
    int64_t k = channels_of(b, x);
    int inputs[3] = {x, -1, -1};

    if (b->has_failed)
        return 0;
    inputs[1] = add_weights(b, (struct shape){2, {outputs, k}}, sqrt(3.0 / (double)k));
    inputs[2] = add_weights(b, (struct shape){1, {outputs}}, 0.1);
    b->has_failed = inputs[1] < 0 || inputs[2] < 0;
    return add_node(b, &like, inputs, 3, NULL);
}

static int begin(struct builder *b, const char *name, int64_t size, struct error *err)
{
    const struct shape shape = {4, {1, 3, size, size}};
    int input;

    *b = (struct builder){.graph = graph_create(name, err), .state = 20240229, .err = err};
    if (b->graph == NULL) {
        b->has_failed = true;
        return 0;
    }
    input = graph_add_value(b->graph, "data", DTYPE_FLOAT32, &shape, err);
    b->has_failed = input < 0 || graph_add_input(b->graph, input, err) < 0;
    return input;
}

/* Softmax over axis 1, called "prob". */
static struct graph *finish(struct builder *b, int x)
{
    struct node like = {.op = OP_SOFTMAX};
    int output;

    like.attr.softmax.axis = 1;
    output = add_node(b, &like, &x, 1, "prob");
    if (!b->has_failed && graph_add_output(b->graph, output, b->err) >= 0 && graph_validate(b->graph, b->err) == 0)
        return b->graph;
    graph_destroy(b->graph);
    return NULL;
}

/* Iandola et al., arXiv:1602.07360; version 1.1 is the authors' later release. */
static int add_fire(struct builder *b, int x, int64_t squeeze, int64_t expand)
{
    int squeezed = add_conv(b, x, (struct conv){squeeze, 1, 1, 0, .fused = ACTIVATION_RELU});

    return add_concat(b, add_conv(b, squeezed, (struct conv){expand, 1, 1, 0, .fused = ACTIVATION_RELU}),
                      add_conv(b, squeezed, (struct conv){expand, 3, 1, 1, .fused = ACTIVATION_RELU}));
}

static struct graph *build_squeezenet(struct error *err)
{
    struct builder b;
    int x = begin(&b, "squeezenet", 227, err);

    x = add_conv(&b, x, (struct conv){64, 3, 2, 0, .fused = ACTIVATION_RELU});
    x = add_pool(&b, x, POOL_MAX, 3, 2, 0, true);
    x = add_fire(&b, add_fire(&b, x, 16, 64), 16, 64);
    x = add_pool(&b, x, POOL_MAX, 3, 2, 0, true);
    x = add_fire(&b, add_fire(&b, x, 32, 128), 32, 128);
    x = add_pool(&b, x, POOL_MAX, 3, 2, 0, true);
    x = add_fire(&b, add_fire(&b, x, 48, 192), 48, 192);
    x = add_fire(&b, add_fire(&b, x, 64, 256), 64, 256);
    x = add_conv(&b, x, (struct conv){1000, 1, 1, 0, .fused = ACTIVATION_RELU});
    return finish(&b, add_flatten(&b, add_global_average(&b, x)));
}

/* He et al., arXiv:1512.03385, table 1; the stride sits in the 3x3 convolution, as in the widespread later variant. */
static int add_bottleneck(struct builder *b, int x, int64_t width, int64_t stride)
{
    int shortcut = x, y = add_conv(b, x, (struct conv){width, 1, 1, 0, .fused = ACTIVATION_RELU});

    y = add_conv(b, y, (struct conv){width, 3, stride, 1, .fused = ACTIVATION_RELU});
    y = add_conv(b, y, (struct conv){4 * width, 1, 1, 0, .fused = ACTIVATION_NONE});
    if (channels_of(b, x) != 4 * width)
        shortcut = add_conv(b, x, (struct conv){4 * width, 1, stride, 0, .fused = ACTIVATION_NONE});
    return add_two(b, y, shortcut, ACTIVATION_RELU);
}

static struct graph *build_resnet50(struct error *err)
{
    static const int depths[] = {3, 4, 6, 3};
    struct builder b;
    int x = begin(&b, "resnet50", 224, err);

    x = add_conv(&b, x, (struct conv){64, 7, 2, 3, .fused = ACTIVATION_RELU});
    x = add_pool(&b, x, POOL_MAX, 3, 2, 1, false);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < depths[stage]; i++)
            x = add_bottleneck(&b, x, INT64_C(64) << stage, i == 0 && stage > 0 ? 2 : 1);
    return finish(&b, add_dense(&b, add_flatten(&b, add_global_average(&b, x)), 1000));
}

/* Howard et al., arXiv:1704.04861, table 1. */
static struct graph *build_mobilenet(struct error *err)
{
    static const struct {
        int64_t channels, stride;
    } rows[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    struct builder b;
    int x = begin(&b, "mobilenet", 224, err);

    x = add_conv(&b, x, (struct conv){32, 3, 2, 1, .fused = ACTIVATION_CLIP});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t channels = channels_of(&b, x);

        x = add_conv(&b, x, (struct conv){channels, 3, rows[i].stride, 1, channels, .fused = ACTIVATION_CLIP});
        x = add_conv(&b, x, (struct conv){rows[i].channels, 1, 1, 0, .fused = ACTIVATION_CLIP});
    }
    return finish(&b, add_dense(&b, add_flatten(&b, add_global_average(&b, x)), 1000));
}

static struct graph *build_residual(struct error *err)
{
    struct builder b;
    int x = begin(&b, "residual", 32, err), y;

    x = add_conv(&b, x, (struct conv){20, 3, 1, 1, .fused = ACTIVATION_RELU});
    y = add_conv(&b, x, (struct conv){20, 3, 1, 1, 20, .fused = ACTIVATION_CLIP}); /* depthwise */
    y = add_conv(&b, y, (struct conv){20, 3, 1, 2, .dilation = 2});
    x = add_two(&b, x, y, ACTIVATION_RELU);
    y = add_conv(&b, x, (struct conv){17, 1, 1, 0, .fused = ACTIVATION_SIGMOID}); /* 1/2 where the input is 0 */
    x = add_concat(&b, y, x);
    x = add_pool(&b, x, POOL_MAX, 3, 2, 0, true);
    x = add_conv(&b, x, (struct conv){32, 3, 2, 1, .fused = ACTIVATION_RELU});
    x = add_conv(&b, x, (struct conv){36, 3, 1, 1, 4, .fused = ACTIVATION_RELU});
    y = add_pool(&b, x, POOL_AVERAGE, 3, 1, 1, false);
    x = add_two(&b, x, y, ACTIVATION_NONE);
    return finish(&b, add_dense(&b, add_flatten(&b, add_global_average(&b, x)), 10));
}

const struct network networks[] = {
    {"squeezenet", build_squeezenet},
    {"resnet50", build_resnet50},
    {"mobilenet", build_mobilenet},
    {"residual", build_residual},
    {NULL, NULL},
};

const struct network *network_find(const char *name)
{
    for (const struct network *network = networks; network->name != NULL; network++)
        if (strcmp(network->name, name) == 0)
            return network;
    return NULL;
}
