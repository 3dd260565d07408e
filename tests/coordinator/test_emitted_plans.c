/* test_emitted_plans.c — the targets cambricon-*: what their emitters write of random plans of random networks is read
 * back as these plans, layer by layer and code by code. */
#define _GNU_SOURCE /* mkdtemp */
#include "../common/random_network.h"

#include "common/memory.h"
#include "common/passes.h"
#include "coordinator/plan_mark.h"
#include "coordinator/plan_read.h"
#include "formats/target.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { N_NETWORKS = 150 };

/* ---- plans, without a calibration ---- */

static float *numbers(struct plan *plan, size_t n)
{
    float *list = arena_create_array(plan->arena, n, sizeof *list, NULL);

    assert_non_null(list);
    return list;
}

static float any_scale(const struct profile *profile)
{
    return profile_kept_scale(profile, (float)draw_uniform(0.01, 0.1));
}

static void plan_value(struct plan *plan, size_t v)
{
    struct plan_value *p = &plan->values[v];

    p->codes = plan->profile->signed_codes;
    if (plan->profile->affine_activations)
        p->codes.zero_point = p->codes.lo + (int32_t)draw_below((size_t)(p->codes.hi - p->codes.lo) + 1);
    p->n_scales = 1;
    p->scale = numbers(plan, 1);
    p->threshold = numbers(plan, 1);
    p->scale[0] = any_scale(plan->profile);
    p->threshold[0] = p->scale[0] * (float)plan->profile->signed_steps;
}

/* Of a chip that shifts, the accumulator's step is the output's over a power of two. */
static float weight_step(const struct plan *plan, const struct node *node)
{
    const struct plan_value *out = &plan->values[node->outputs[0]];
    double in = (double)plan->values[node->inputs[0]].scale[0];

    if (plan->profile->requantization != REQUANTIZE_SHIFT)
        return profile_kept_weight_scale(plan->profile, (float)draw_uniform(0.001, 0.01));
    return (float)((double)ldexpf(out->scale[0], -(int)draw_below(12)) / in);
}

static float accumulator_step(const struct plan *plan, const struct node *node, float weights)
{
    const struct plan_value *out = &plan->values[node->outputs[0]];
    double step = (double)plan->values[node->inputs[0]].scale[0] * (double)weights;

    if (plan->profile->requantization != REQUANTIZE_SHIFT)
        return (float)step;
    return ldexpf(out->scale[0], -(int)lrint(log2((double)out->scale[0] / step)));
}

static void plan_codes(struct plan *plan, const struct node *node, struct plan_node *p, size_t channels)
{
    const struct value *w = &plan->graph->values[node->inputs[1]];
    size_t elements = (size_t)shape_elements(&w->shape), per_channel = elements / (size_t)w->shape.dims[0];
    int32_t limit = plan->profile->weight_limit;

    p->weight_codes = arena_create_array(plan->codes, elements, sizeof *p->weight_codes, NULL);
    assert_non_null(p->weight_codes);
    for (size_t i = 0; i < elements; i++) {
        float step = p->weight_scale[p->n_weight_scales == 1 ? 0 : i / per_channel];

        if (plan->profile->integer_bias)
            p->weight_codes[i] = (int16_t)((int)draw_below(2 * (size_t)limit + 1) - limit);
        else
            quantize_symmetric(&((const float *)w->data)[i], 1, step, limit, &p->weight_codes[i]);
    }
    p->bias = numbers(plan, channels);
    for (size_t c = 0; c < channels; c++)
        p->bias[c] = (float)draw_uniform(-1, 1);
    if (!plan->profile->integer_bias)
        return;
    p->bias_codes = arena_create_array(plan->arena, channels, sizeof *p->bias_codes, NULL);
    assert_non_null(p->bias_codes);
    for (size_t c = 0; c < channels; c++)
        p->bias_codes[c] = (int32_t)draw_below(65536) - 32768;
}

static size_t output_channels(const struct graph *graph, const struct node *node)
{
    return (size_t)graph->values[node->outputs[0]].shape.dims[1];
}

static void plan_layer(struct plan *plan, size_t n, bool may_be_per_channel)
{
    const struct node *node = &plan->graph->nodes[n];
    struct plan_node *p = &plan->nodes[n];
    size_t channels = output_channels(plan->graph, node);
    bool is_single = !may_be_per_channel || node->op == OP_DECONV || draw_below(3) == 0;

    p->n_weight_scales = is_single ? 1 : channels;
    p->weight_scale = numbers(plan, p->n_weight_scales);
    p->acc_scale = numbers(plan, p->n_weight_scales);
    for (size_t c = 0; c < p->n_weight_scales; c++) {
        p->weight_scale[c] = weight_step(plan, node);
        p->acc_scale[c] = accumulator_step(plan, node, p->weight_scale[c]);
    }
    plan_codes(plan, node, p, channels);
}

static bool has_weights(const struct node *node)
{
    return node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE;
}

/* As calibration would mark it, a few nodes being left in float. */
static struct plan *make_plan(const struct graph *graph, const struct profile *profile, bool may_be_per_channel)
{
    struct plan *plan = plan_create(graph, profile, NULL);
    struct histogram any = {0};
    const struct histogram **histograms = calloc(graph->n_values, sizeof *histograms);
    bool *is_float = calloc(graph->n_nodes + 1, sizeof *is_float);

    assert_true(plan != NULL && histograms != NULL && is_float != NULL);
    for (size_t v = 0; v < graph->n_values; v++)
        histograms[v] = &any; /* that there are some is all that is asked */
    for (size_t n = 0; n < graph->n_nodes; n++)
        is_float[n] = draw_below(6) == 0;
    plan_mark(plan, histograms, is_float);
    for (size_t v = 0; v < graph->n_values; v++)
        if (plan->values[v].is_quantized)
            plan_value(plan, v);
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (plan->nodes[n].is_quantized && has_weights(&graph->nodes[n]))
            plan_layer(plan, n, may_be_per_channel);
    free(histograms);
    free(is_float);
    return plan;
}

/* ---- files ---- */

static const struct emit_info info = {
    .fingerprint = "cafe", .version = "1.2.3", .records = 77, .method = "mse", .model_name = "net"};

struct folder {
    char path[64], files[2][192];
};

/* false: the target cannot express the network, and says where. */
static bool emit(const struct target *target, const struct plan *plan, struct folder *f)
{
    struct error err = {0};
    struct output *output;
    int rc;

    *f = (struct folder){.path = "/tmp/etalon-plans-XXXXXX"};
    assert_non_null(mkdtemp(f->path));
    output = output_open(f->path, &err);
    assert_non_null(output);
    rc = target->emit(plan, &info, output, &err);
    if (rc != 0 && err.code != EX_UNAVAILABLE)
        fail_msg("%s: %s", target->name, err.text);
    output_close(output);
    return rc == 0;
}

static void remove_folder(const struct folder *f, const struct target *target)
{
    char path[512];
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "%s/%s", f->path, target->name);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%s/%s", f->path, target->name, entry->d_name);
        unlink(path);
    }
    if (folder != NULL)
        closedir(folder);
    snprintf(path, sizeof path, "%s/%s", f->path, target->name);
    rmdir(path);
    rmdir(f->path);
}

/* The file of the target, or NULL where it was not written: one of two flows may lack an operator. */
static const char *file(struct folder *f, size_t i, const struct target *target, const char *ending)
{
    snprintf(f->files[i], sizeof f->files[i], "%s/%s/net%s", f->path, target->name, ending);
    return access(f->files[i], F_OK) == 0 ? f->files[i] : NULL;
}

static struct graph *import_pair(const char *file, const char *weights)
{
    const struct model_request request = {.file = file, .weights = weights};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    graph->keeps_codings = true;
    assert_succeeds(graph_normalise(graph, &err), err);
    return graph;
}

/* ---- comparing ---- */

struct back {
    const struct plan *own;
    const struct graph *graph;
    struct plan *plan;
    int *of_own;
    bool skips_deconvolutions, skips_depthwise; /* in float, whatever was planned */
};

/* false: an output is written by several layers of a float node, and bears its name before the last of them. */
static bool read_back(struct back *b)
{
    struct error err = {0};

    b->of_own = calloc(b->own->graph->n_values, sizeof *b->of_own);
    assert_non_null(b->of_own);
    b->plan = plan_read(b->graph, b->own->profile, &err);
    if (b->plan == NULL)
        fail_msg("%s", err.text);
    if (plan_match_values(b->own->graph, b->graph, b->of_own, &err) == 0)
        return true;
    assert_non_null(strstr(err.text, "is no output of this model"));
    return false;
}

static bool is_skipped(const struct back *b, size_t n)
{
    const struct graph *graph = b->own->graph;
    const struct node *node = &graph->nodes[n];

    return (b->skips_deconvolutions && node->op == OP_DECONV) ||
           (b->skips_depthwise && node->op == OP_CONV && node->attr.conv.group > 1 &&
            node->attr.conv.group == graph->values[node->inputs[0]].shape.dims[1]);
}

static bool is_same_value(const struct plan_value *own, const struct plan_value *back)
{
    return own->is_quantized == back->is_quantized && (!own->is_quantized || own->scale[0] == back->scale[0]);
}

static void compare_layer(const struct back *b, size_t n, size_t m)
{
    const struct plan_node *own = &b->own->nodes[n], *back = &b->plan->nodes[m];
    const struct node *node = &b->own->graph->nodes[n];
    size_t channels = output_channels(b->own->graph, node);
    size_t elements = (size_t)shape_elements(&b->own->graph->values[node->inputs[1]].shape);

    if (!is_same_value(&b->own->values[node->inputs[0]], &b->plan->values[b->graph->nodes[m].inputs[0]]))
        fail_msg("node \"%s\" reads other codes", node->name);
    if (own->n_weight_scales != back->n_weight_scales ||
        memcmp(own->weight_codes, back->weight_codes, elements * sizeof *own->weight_codes) != 0)
        fail_msg("node \"%s\": its weights became those of \"%s\"", node->name, b->graph->nodes[m].name);
    assert_memory_equal(own->acc_scale, back->acc_scale, own->n_weight_scales * sizeof(float));
    if (own->bias_codes != NULL)
        assert_memory_equal(own->bias_codes, back->bias_codes, channels * sizeof *own->bias_codes);
    else
        assert_memory_equal(own->bias, back->bias, channels * sizeof *own->bias);
}

/* Writers restate a layer in places: as a larger kernel, or as another operator. */
static bool has_same_weights(const struct back *b, size_t n, size_t m)
{
    const struct node *own = &b->own->graph->nodes[n], *back = &b->graph->nodes[m];

    return own->op == back->op &&
           shape_equal(&b->own->graph->values[own->inputs[1]].shape, &b->graph->values[back->inputs[1]].shape);
}

/* How many layers were compared. */
static size_t compare(const struct back *b)
{
    const struct graph *graph = b->own->graph;
    size_t n_compared = 0;

    for (size_t n = 0; n < graph->n_nodes; n++) {
        int w = b->of_own[graph->nodes[n].outputs[0]], m = w == GRAPH_NONE ? GRAPH_NONE : b->graph->values[w].producer;
        const struct plan_value *own = &b->own->values[graph->nodes[n].outputs[0]];

        if (m == GRAPH_NONE || is_skipped(b, n))
            continue;
        if (b->own->nodes[n].is_quantized && !b->own->profile->keeps_reals && !is_same_value(own, &b->plan->values[w]))
            fail_msg("value \"%s\" became \"%s\"", graph->values[graph->nodes[n].outputs[0]].name,
                     b->graph->values[w].name);
        if (!has_weights(&graph->nodes[n]) || !has_same_weights(b, n, (size_t)m))
            continue;
        if (b->own->nodes[n].is_quantized != b->plan->nodes[m].is_quantized)
            fail_msg("node \"%s\" is %squantized", graph->nodes[n].name, b->plan->nodes[m].is_quantized ? "" : "not ");
        if (b->own->nodes[n].is_quantized) {
            compare_layer(b, n, (size_t)m);
            n_compared++;
        }
    }
    return n_compared;
}

static void end_back(struct back *b)
{
    plan_destroy(b->plan);
    free(b->of_own);
    graph_destroy((struct graph *)(uintptr_t)b->graph);
}

static bool is_quantized(const struct back *b)
{
    for (size_t n = 0; n < b->own->graph->n_nodes; n++)
        if (b->own->nodes[n].is_quantized && has_weights(&b->own->graph->nodes[n]) && !is_skipped(b, n))
            return true;
    return false;
}

/* The graph that a flow's files are, or NULL: nothing was written for it. */
typedef struct graph *reader(const struct target *target, struct folder *f, uint64_t seed);

static struct graph *normalised(uint64_t seed)
{
    struct graph *graph = random_network(seed);
    struct error err;

    assert_succeeds(graph_normalise(graph, &err), err);
    return graph;
}

static void plans_come_back(const struct target *target, reader *read, bool may_be_per_channel, struct back draft)
{
    size_t n_networks = 0, n_layers = 0;

    for (uint64_t seed = 0; seed < N_NETWORKS; seed++) {
        struct graph *graph = normalised(seed);
        struct plan *plan = make_plan(graph, target->profile, may_be_per_channel);
        struct back b = draft;
        struct folder f;

        b.own = plan;
        if (emit(target, plan, &f) && is_quantized(&b) && (b.graph = read(target, &f, seed)) != NULL) {
            if (getenv("VERBOSE") != NULL)
                fprintf(stderr, "network %d\n", (int)seed);
            if (read_back(&b)) {
                n_layers += compare(&b);
                n_networks++;
            }
            end_back(&b);
        }
        remove_folder(&f, target);
        plan_destroy(plan);
        graph_destroy(graph);
    }
    assert_true(n_networks > N_NETWORKS / 5 && n_layers > N_NETWORKS / 5);
}

/* ---- the flows ---- */

static struct graph *read_checkpoint(const struct target *target, struct folder *f, uint64_t seed)
{
    const char *path = file(f, 0, target, strstr(target->name, "int16") != NULL ? "_int16.pth" : "_int8.pth");
    struct graph *graph = path == NULL ? NULL : normalised(seed);
    struct error err = {0};

    if (graph != NULL && target->read_numbers(graph, path, &err) != 0)
        fail_msg("%s", err.text);
    return graph;
}

static void scales_of_a_checkpoint_come_back(void **state)
{
    (void)state;
    plans_come_back(target_find("cambricon-mlu270"), read_checkpoint, true,
                    (struct back){.skips_deconvolutions = true});
    plans_come_back(target_find("cambricon-mlu220-int16"), read_checkpoint, true,
                    (struct back){.skips_deconvolutions = true});
}

static struct graph *read_caffe(const struct target *target, struct folder *f, uint64_t seed)
{
    bool is_short = strstr(target->name, "int16") != NULL;
    const char *net = file(f, 0, target, is_short ? "_int16.prototxt" : "_int8.prototxt");
    const char *model = file(f, 1, target, is_short ? "_int16.caffemodel" : "_int8.caffemodel");

    (void)seed;
    return net == NULL ? NULL : import_pair(net, model);
}

static void positions_of_a_prototxt_come_back(void **state)
{
    (void)state;
    plans_come_back(target_find("cambricon-mlu270"), read_caffe, false, (struct back){.skips_depthwise = true});
    plans_come_back(target_find("cambricon-mlu220-int16"), read_caffe, false, (struct back){.skips_depthwise = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_of_a_checkpoint_come_back),
        cmocka_unit_test(positions_of_a_prototxt_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
