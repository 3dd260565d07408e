/* estimate.c — performance_estimate.json and .md: what each node costs by a roofline, before anybody has a board.
 *
 *   seconds = max(MACs / peak, bytes / bandwidth)
 *
 * Bytes are those of inputs, weights and outputs, one an int8 code and four a float, as if each crossed the memory bus
 * once and nothing stayed on chip. Peaks are the vendor's published figures; the bandwidth is the user's to set.
 */
#include "formats/horizon/horizon.h"

#include "common/printable.h"
#include "formats/json_text.h"
#include "formats/text_file.h"

#include <inttypes.h>
#include <string.h>

/* int8 TOPS, two operations a MAC. Of nash-b-lite and -plus no figure of their own is known. */
static const struct {
    const char *march;
    double tops;
} peaks[] = {{"nash-e", 80},      {"nash-m", 128},     {"nash-p", 560}, {"nash-h", 420}, {"nash-b", 18},
             {"nash-b-lite", 18}, {"nash-b-plus", 18}, {"bayes-e", 10}, {"bayes", 96}};

enum { CELL_BYTES = 256 };

struct roofline {
    double tops, macs_per_second, bytes_per_second;
};

struct cost {
    uint64_t macs, bytes;
    double seconds;
    bool is_bound_by_memory;
};

static struct roofline choose_roofline(const struct horizon *h)
{
    size_t i = 0;
    double gb = (double)target_setting_count(h->info->settings, &target_horizon, "ddr_gb_per_second");

    while (!horizon_is(h, "march", peaks[i].march))
        i++;
    return (struct roofline){peaks[i].tops, peaks[i].tops * 1e12 / 2, gb * 1e9};
}

static uint64_t value_bytes(const struct plan *plan, int value, bool is_coded)
{
    return (uint64_t)shape_elements(&plan->graph->values[value].shape) * (is_coded ? 1 : 4);
}

static struct cost node_cost(const struct plan *plan, size_t index, const struct roofline *r)
{
    const struct node *node = &plan->graph->nodes[index];
    struct cost cost = {.macs = node_macs(plan->graph, node)};
    double compute, memory;

    for (size_t i = 0; i < node->n_inputs; i++) {
        bool is_constant = node->inputs[i] != GRAPH_NONE && plan->graph->values[node->inputs[i]].is_constant;

        if (node->inputs[i] != GRAPH_NONE) /* biases stay floats */
            cost.bytes += value_bytes(plan, node->inputs[i],
                                      is_constant ? plan->nodes[index].weight_codes != NULL && i == 1
                                                  : plan->values[node->inputs[i]].is_quantized);
    }
    for (size_t i = 0; i < node->n_outputs; i++)
        cost.bytes += value_bytes(plan, node->outputs[i], plan->values[node->outputs[i]].is_quantized);
    compute = (double)cost.macs / r->macs_per_second;
    memory = (double)cost.bytes / r->bytes_per_second;
    cost.is_bound_by_memory = memory >= compute;
    cost.seconds = cost.is_bound_by_memory ? memory : compute;
    return cost;
}

static struct cost total_cost(const struct plan *plan, const struct roofline *r)
{
    struct cost total = {0};

    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        struct cost cost = node_cost(plan, i, r);

        total.macs += cost.macs;
        total.bytes += cost.bytes;
        total.seconds += cost.seconds;
    }
    return total;
}

static double intensity(const struct cost *cost)
{
    return cost->bytes == 0 ? 0 : (double)cost->macs / (double)cost->bytes;
}

static const char what[] = "An estimate of etalon's from the roofline below: neither measured nor the vendor's.";

static json_t *node_json(const struct node *node, const struct cost *cost, double total)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:f, s:s, s:f, s:f}", "node", json_text(node->name), "type",
                     json_text(node->type), "macs", (json_int_t)cost->macs, "bytes", (json_int_t)cost->bytes,
                     "macs_per_byte", intensity(cost), "bound_by", cost->is_bound_by_memory ? "memory" : "compute",
                     "microseconds", cost->seconds * 1e6, "share", cost->seconds / total);
}

static int write_json(const struct horizon *h, const struct roofline *r, const struct cost *total, struct error *err)
{
    const struct plan *plan = h->plan;
    json_t *nodes = json_array(), *root;

    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        struct cost cost = node_cost(plan, i, r);

        json_append(&nodes, node_json(&plan->graph->nodes[i], &cost, total->seconds));
    }
    root = json_pack("{s:s, s:{s:s, s:f, s:f, s:f}, s:{s:I, s:I, s:f}, s:o}", "what", what, "roofline", "march",
                     horizon_setting(h, "march"), "peak_int8_tops", r->tops, "peak_macs_per_second", r->macs_per_second,
                     "memory_bytes_per_second", r->bytes_per_second, "totals", "macs", (json_int_t)total->macs, "bytes",
                     (json_int_t)total->bytes, "microseconds", total->seconds * 1e6, "nodes", nodes);
    return json_file_write(root, h->output, HORIZON, "performance_estimate.json", err);
}

/* A name as a cell of a table. */
static void print_cell(FILE *out, const char *text)
{
    char cell[CELL_BYTES];

    printable_copy(cell, sizeof cell, text);
    for (const char *c = cell; *c != '\0'; c++)
        fprintf(out, *c == '|' ? "\\|" : "%c", *c);
}

static int write_page(const struct horizon *h, const struct roofline *r, const struct cost *total, struct error *err)
{
    const struct plan *plan = h->plan;
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out,
            "# %s on %s: an estimate\n\n%s\n\nPeak %g TOPS of int8 (%g MACs/s), memory %g GB/s (an assumption: "
            "`ddr_gb_per_second`). A node takes the longer of MACs / peak and bytes / bandwidth; bytes are inputs, "
            "weights and outputs, each moved once.\n\nOne record: %" PRIu64 " MACs, %" PRIu64 " bytes, %.3f us.\n\n"
            "| node | type | MACs | bytes | MACs/byte | bound by | us | share |\n|---|---|---|---|---|---|---|---|\n",
            h->prefix, horizon_setting(h, "march"), what, r->tops, r->macs_per_second, r->bytes_per_second / 1e9,
            total->macs, total->bytes, total->seconds * 1e6);
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        struct cost cost = node_cost(plan, i, r);

        fprintf(file.out, "| ");
        print_cell(file.out, plan->graph->nodes[i].name);
        fprintf(file.out, " | ");
        print_cell(file.out, plan->graph->nodes[i].type);
        fprintf(file.out, " | %" PRIu64 " | %" PRIu64 " | %.2f | %s | %.3f | %.1f %% |\n", cost.macs, cost.bytes,
                intensity(&cost), cost.is_bound_by_memory ? "memory" : "compute", cost.seconds * 1e6,
                100 * cost.seconds / total->seconds);
    }
    return text_file_end(&file, h->output, HORIZON, "performance_estimate.md", err);
}

int horizon_write_estimate(const struct horizon *h, struct error *err)
{
    struct roofline r = choose_roofline(h);
    struct cost total = total_cost(h->plan, &r);

    return write_json(h, &r, &total, err) != 0 ? -1 : write_page(h, &r, &total, err);
}
