/* test_emitted_plans.c — the targets sophon-bm1684 and cambricon-*: what their emitters write of random plans of random
 * networks is read back as these plans, layer by layer and code by code, and simulated to the same integers. */
#define _GNU_SOURCE /* mkdtemp */
#include "random_plan.h"

#include "common/passes.h"
#include "coordinator/plan_read.h"
#include "formats/target.h"
#include "worker/simulate.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

enum { N_NETWORKS = 150 };

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

/* ---- simulating ---- */

/* What a simulation made of a value. */
struct made {
    float *reals;   /* NULL: nothing */
    int16_t *codes; /* NULL: it has none */
};

static void keep(struct simulator *simulator, const struct graph *graph, int v, struct made *made)
{
    size_t n = (size_t)shape_elements(&graph->values[v].shape);
    const int16_t *codes = simulator_codes(simulator, v);
    const float *reals = simulator_value(simulator, v);

    if (reals == NULL)
        return;
    made[v].reals = memcpy(malloc(n * sizeof(float)), reals, n * sizeof(float));
    made[v].codes = codes == NULL ? NULL : memcpy(malloc(n * sizeof *codes), codes, n * sizeof *codes);
}

/* [n_values], or NULL: the simulator does not take the plan. */
static struct made *simulate(const struct plan *plan, const float *input)
{
    const struct graph *graph = plan->graph;
    struct error err = {0};
    struct simulator *simulator = simulator_create(plan, 1, &err);
    struct made *made = simulator == NULL ? NULL : calloc(graph->n_values, sizeof *made);

    if (simulator == NULL) {
        assert_int_equal(err.code, EX_UNAVAILABLE);
        return NULL;
    }
    assert_succeeds(simulator_begin(simulator, &input, 1, &err), err);
    keep(simulator, graph, graph->inputs[0], made);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        assert_succeeds(simulator_step(simulator, (int)n, &err), err);
        keep(simulator, graph, graph->nodes[n].outputs[0], made);
    }
    simulator_destroy(simulator);
    return made;
}

static void end_made(struct made *made, size_t n_values)
{
    for (size_t v = 0; made != NULL && v < n_values; v++) {
        free(made[v].reals);
        free(made[v].codes);
    }
    free(made);
}

static bool is_integer(const struct back *b, int v)
{
    int n = b->own->graph->values[v].producer;

    return n != GRAPH_NONE && b->own->nodes[n].is_quantized && !is_skipped(b, (size_t)n);
}

/* Is it the same operator that makes the value of integers in what was read? Writers have other words for some, which
 * end in float. */
static bool is_same_operator(const struct back *b, int v, size_t m)
{
    const struct node *own = &b->own->graph->nodes[b->own->graph->values[v].producer], *back = &b->graph->nodes[m];

    return b->plan->nodes[m].is_quantized && own->op == back->op && own->fused.kind == back->fused.kind;
}

static void compare_made(const struct back *b, int v, struct simulator *simulator, int w, const struct made *made)
{
    const struct value *value = &b->own->graph->values[v];
    size_t n = (size_t)shape_elements(&value->shape);
    const int16_t *codes = simulator_codes(simulator, w);
    const float *reals = simulator_value(simulator, w);

    if ((codes == NULL) != (made->codes == NULL))
        fail_msg("value \"%s\" %s codes", value->name, codes == NULL ? "lost its" : "got");
    for (size_t i = 0; i < n; i++)
        if (codes != NULL ? codes[i] != made->codes[i] : memcmp(&reals[i], &made->reals[i], sizeof *reals) != 0)
            fail_msg("value \"%s\"[%zu] is %g, was %g", value->name, i, (double)reals[i], (double)made->reals[i]);
}

/* The value of the plan's own graph that is w, or GRAPH_NONE. */
static int own_of(const struct back *b, int w)
{
    int v = graph_find_value(b->own->graph, b->graph->values[w].name); /* several, where a pass has joined two in one */

    if (v != GRAPH_NONE && b->of_own[v] == w)
        return v;
    for (v = 0; v < (int)b->own->graph->n_values && b->of_own[v] != w;)
        v++;
    return v < (int)b->own->graph->n_values ? v : GRAPH_NONE;
}

/* How many values were computed of integers, and in how many of them a writer has other words for the operator. */
struct tally {
    size_t n_compared, n_restated;
};

/* Value by value: each is computed of what the plan's own simulation made of those before it. */
static void compare_steps(const struct back *b, struct simulator *simulator, const struct made *made,
                          struct tally *tally)
{
    struct error err = {0};

    for (size_t n = 0; n < b->graph->n_nodes; n++) {
        int w = b->graph->nodes[n].outputs[0], v = own_of(b, w);

        assert_succeeds(simulator_step(simulator, (int)n, &err), err);
        if (v == GRAPH_NONE || made[v].reals == NULL || simulator_value(simulator, w) == NULL)
            continue;
        if (is_integer(b, v) && is_same_operator(b, v, n)) {
            compare_made(b, v, simulator, w, &made[v]);
            tally->n_compared++;
        }
        tally->n_restated += is_integer(b, v) && !is_same_operator(b, v, n);
        simulator_replace(simulator, w, made[v].reals);
    }
}

static void compare_simulations(const struct back *b, struct tally *tally)
{
    float input[CHANNELS * 5 * 6];
    const float *inputs = input;
    struct error err = {0};
    struct simulator *simulator;
    struct made *made;

    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        input[i] = (float)draw_uniform(-3, 3);
    made = simulate(b->own, input);
    if (made == NULL)
        return;
    simulator = simulator_create(b->plan, 1, &err);
    if (simulator == NULL)
        fail_msg("%s", err.text);
    assert_succeeds(simulator_begin(simulator, &inputs, 1, &err), err);
    compare_steps(b, simulator, made, tally);
    simulator_destroy(simulator);
    end_made(made, b->own->graph->n_values);
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

/* ETALON_NETWORKS: so many networks instead. */
static uint64_t count_networks(void)
{
    const char *text = getenv("ETALON_NETWORKS");

    return text == NULL ? N_NETWORKS : strtoull(text, NULL, 10);
}

static void plans_come_back(const struct target *target, reader *read, bool may_be_per_channel, struct back draft)
{
    size_t n_networks = count_networks(), n_read = 0, n_layers = 0, n_unmatched = 0;
    struct tally tally = {0};

    for (uint64_t seed = 0; seed < n_networks; seed++) {
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
                compare_simulations(&b, &tally);
                n_read++;
            } else {
                n_unmatched++;
            }
            end_back(&b);
        }
        remove_folder(&f, target);
        plan_destroy(plan);
        graph_destroy(graph);
    }
    if (getenv("VERBOSE") != NULL)
        fprintf(stderr, "%s: %zu networks, %zu with other outputs; %zu layers; %zu values, %zu more in other words\n",
                target->name, n_read, n_unmatched, n_layers, tally.n_compared, tally.n_restated);
    assert_true(n_read > n_networks / 5 && n_layers > n_networks / 5 && tally.n_compared > n_networks / 5);
    assert_true(n_unmatched <= n_networks / 20 && tally.n_restated <= tally.n_compared / 4);
}

/* ---- the flows ---- */

static struct graph *read_sophon(const struct target *target, struct folder *f, uint64_t seed)
{
    (void)seed;
    return import_pair(file(f, 0, target, "_deploy_int8_unique_top.prototxt"), file(f, 1, target, ".int8umodel"));
}

static void integers_of_an_int8umodel_come_back(void **state)
{
    (void)state;
    plans_come_back(target_find("sophon-bm1684"), read_sophon, false, (struct back){0});
}

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
        cmocka_unit_test(integers_of_an_int8umodel_come_back),
        cmocka_unit_test(scales_of_a_checkpoint_come_back),
        cmocka_unit_test(positions_of_a_prototxt_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
