/* simulate_conv.c — exact accumulators of convolution, its transpose, and dense layers; see simulate_conv.h.
 *
 * A block of output pixels by a panel of output channels at a time: its sums are rescaled to codes while they are in
 * the first-level cache.
 */
#include "worker/simulate_conv.h"

#include "common/isa.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* Halves of 16-bit weights lie in [-128, 128]: 2 x 255 products with codes of 16 bits are below 510 x 2^22 < 2^31. */
enum { WIDE_UNITS = 255 };

bool sim_conv_applies(const struct plan *plan, int node)
{
    const struct node *n = &plan->graph->nodes[node];

    return (n->op == OP_CONV || n->op == OP_DECONV || n->op == OP_DENSE) && plan->nodes[node].is_quantized &&
           plan->values[n->inputs[0]].is_quantized;
}

/* Rows of a dense layer in one record: leading dims beyond the batch. */
static size_t dense_rows(const struct sim_conv *c)
{
    const struct shape *shape = &c->plan->graph->values[c->input_value].shape;
    size_t rows = 1;

    for (size_t d = 1; d + 1 < shape->rank; d++)
        rows *= (size_t)shape->dims[d];
    return rows;
}

/* most_images: in one call of sim_conv_run. */
static void set_geometry(struct sim_conv *c, size_t most_images)
{
    const struct graph *g = c->plan->graph;
    const struct shape *in = &g->values[c->input_value].shape, *out = &g->values[c->output_value].shape;

    c->group = c->kernel[0] = c->kernel[1] = 1;
    if (c->node->op != OP_DENSE) {
        bool is_1d = in->rank == 3; /* N x C x L: height 1 */

        c->in_channels = (size_t)in->dims[1];
        c->in_height = is_1d ? 1 : (size_t)in->dims[2];
        c->in_width = (size_t)in->dims[is_1d ? 2 : 3];
        c->out_channels = (size_t)out->dims[1];
        c->out_height = is_1d ? 1 : (size_t)out->dims[2];
        c->out_width = (size_t)out->dims[is_1d ? 2 : 3];
        c->group = (size_t)c->node->attr.conv.group;
        for (size_t i = 0; i < 2; i++)
            c->kernel[i] = (size_t)c->node->attr.conv.window.kernel[i];
    } else {
        c->in_channels = (size_t)in->dims[in->rank - 1];
        c->out_channels = (size_t)out->dims[out->rank - 1];
        c->in_height = c->out_height = 1;
        c->in_width = c->out_width = most_images * dense_rows(c);
    }
    c->n_taps = c->kernel[0] * c->kernel[1];
    c->group_in = c->in_channels / c->group;
    c->group_out = c->out_channels / c->group;
    c->k = c->group_in * c->n_taps;
    c->is_depthwise = c->group > 1 && c->group_in == 1 && c->group_out == 1;
}

static void set_up(struct sim_conv *c, const struct plan *plan, int node)
{
    c->plan = plan;
    c->node = &plan->graph->nodes[node];
    c->weights = &plan->nodes[node];
    c->input_value = c->node->inputs[0];
    c->output_value = c->node->outputs[0];
    c->is_wide = plan->profile->weight_limit > INT8_MAX ||
                 plan->values[c->input_value].codes.hi - plan->values[c->input_value].codes.lo > UINT8_MAX;
}

int sim_conv_check(const struct plan *plan, int node, struct error *err)
{
    struct sim_conv c = {0};

    set_up(&c, plan, node);
    set_geometry(&c, 1);
    return sim_conv_check_range(&c, err);
}

struct sim_conv *sim_conv_create(struct simulator *s, int node, struct error *err)
{
    struct sim_conv *c = memory_create(1, sizeof *c, "a simulated convolution", err);
    const struct plan *plan = s->plan;
    const struct sim_value *in;

    if (c == NULL)
        return NULL;
    set_up(c, plan, node);
    c->tile = s->tile;
    in = &s->values[c->input_value];
    c->in_codes = in->codes;
    c->is_turned = c->node->op != OP_DENSE && !in->is_last && !sim_has_one_order(in);
    c->out_item =
        sim_is_coded(plan, c->output_value) ? sim_code_bytes(s->values[c->output_value].codes) : sizeof(float);
    set_geometry(c, s->batch * in->images);
    c->are_bytes = c->in_codes.are_bytes && !c->is_wide && !c->is_depthwise && int_gemm_prefers_bytes();
    sim_conv_place_windows(c);
    if (sim_conv_make_weights(c, err) != 0 || sim_conv_make_image(c, err) != 0 || sim_conv_make_rescale(c, err) != 0) {
        sim_conv_destroy(c);
        return NULL;
    }
    return c;
}

void sim_conv_destroy(struct sim_conv *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->packed != NULL && i < c->group * (c->is_wide ? SIM_HALVES : 1); i++)
        int_weights_fini(&c->packed[i]);
    free(c->packed);
    free(c->byte_offsets);
    free(c->taps);
    free(c->tap_rows);
    free(c->tap_weights);
    free(c->turned);
    free(c->image);
    free(c->patches);
    free(c->at);
    free(c->rescale.bias_code);
    free(c->rescale.factor);
    free(c->rescale.bias);
    free(c->rescale.out_scale);
    free(c->rescale.m);
    free(c->rescale.shift);
    free(c->rescale.before);
    free(c->rescale.before_negative);
    free(c);
}

/* sums += low + 256 high */
ISA_CLONES static void add_halves(const int32_t *restrict low, const int32_t *restrict high, size_t n,
                                  int64_t *restrict sums)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += (int64_t)low[i] + 256 * (int64_t)high[i];
}

/* Some units of every row, which both halves of the weights can multiply without leaving 32 bits. */
static void add_wide_run(struct sim_conv *c, const struct int_rows *run, const struct int_weights *halves, size_t panel,
                         size_t first_unit)
{
    int32_t *low = c->tile->sums[0], *high = c->tile->sums[1];

    int_gemm(run, &halves[0], panel, first_unit, low);
    int_gemm(run, &halves[1], panel, first_unit, high);
    add_halves(low, high, run->n * INT_GEMM_PANEL, c->tile->wide_sums);
}

static void multiply_wide(struct sim_conv *c, const struct int_rows *rows, const struct int_weights *halves,
                          size_t panel)
{
    size_t together = rows->units < WIDE_UNITS ? WIDE_UNITS / rows->units : 1; /* segments */

    memset(c->tile->wide_sums, 0, rows->n * INT_GEMM_PANEL * sizeof *c->tile->wide_sums);
    for (size_t s = 0; s < rows->segments; s += together)
        for (size_t u = 0; u < rows->units; u += WIDE_UNITS) {
            struct int_rows run = *rows;

            run.base += s * rows->stride + u * INT_GEMM_UNIT;
            run.segments = rows->segments - s < together ? rows->segments - s : together;
            run.units = rows->units - u < WIDE_UNITS ? rows->units - u : WIDE_UNITS;
            add_wide_run(c, &run, halves, panel, s * rows->units + u);
        }
}

static void run_block(struct sim_conv *c, const char *image, size_t first, size_t n, void *output)
{
    for (size_t g = 0; g < c->group; g++) {
        const struct int_weights *packed = &c->packed[g * (c->is_wide ? SIM_HALVES : 1)];
        struct int_rows rows = sim_conv_rows(c, image, g, first, n);

        for (size_t p = 0; p < int_weights_panels(packed); p++) {
            size_t channel = p * INT_GEMM_PANEL, left = c->group_out - channel;

            if (c->is_wide)
                multiply_wide(c, &rows, packed, p);
            else
                int_gemm(&rows, packed, p, 0, c->tile->sums[0]);
            sim_conv_rescale(c, n, g * c->group_out + channel, left < INT_GEMM_PANEL ? left : INT_GEMM_PANEL, output);
        }
    }
}

/* 16 neighbouring channels. Loops over arrays were left scalar by GCC 12: 4 times as slow on MobileNet's 3 x 3. */
typedef int16_t int16_lanes __attribute__((vector_size(INT_GEMM_LANES * sizeof(int16_t))));
typedef int32_t int32_lanes __attribute__((vector_size(INT_GEMM_LANES * sizeof(int32_t))));
typedef int64_t int64_lanes __attribute__((vector_size(INT_GEMM_LANES * sizeof(int64_t))));

/* Through memory: vectors of this size have no settled way to be returned. */
ISA_INLINE void multiply_lanes(const int16_t *x, const int16_t *w, int32_lanes *product)
{
    int16_lanes a, b;

    memcpy(&a, x, sizeof a);
    memcpy(&b, w, sizeof b);
    *product = __builtin_convertvector(a, int32_lanes) * __builtin_convertvector(b, int32_lanes);
}

/* sums[o] = sum over n taps of rows[t][channel + o] x taps[t][channel + o], o < channels rounded up to whole lanes;
 * those beyond have taps of 0. */
ISA_CLONES static void add_taps(const int16_t *const *rows, const int16_t *const *taps, size_t n, size_t channel,
                                size_t channels, int32_t *sums)
{
    for (size_t o = 0; o < channels; o += INT_GEMM_LANES) {
        int32_lanes product, sum = {0};

        for (size_t t = 0; t < n; t++) {
            multiply_lanes(rows[t] + channel + o, taps[t] + channel + o, &product);
            sum += product;
        }
        memcpy(sums + o, &sum, sizeof sum);
    }
}

ISA_CLONES static void add_wide_taps(const int16_t *const *rows, const int16_t *const *taps, size_t n, size_t channel,
                                     size_t channels, int64_t *sums)
{
    for (size_t o = 0; o < channels; o += INT_GEMM_LANES) {
        int64_lanes sum = {0};
        int32_lanes product;

        for (size_t t = 0; t < n; t++) {
            multiply_lanes(rows[t] + channel + o, taps[t] + channel + o, &product);
            sum += __builtin_convertvector(product, int64_lanes);
        }
        memcpy(sums + o, &sum, sizeof sum);
    }
}

static void run_depthwise_block(struct sim_conv *c, const char *image, size_t first, size_t n, void *output)
{
    for (size_t channel = 0; channel < c->out_channels; channel += INT_GEMM_PANEL) {
        size_t left = c->out_channels - channel, channels = left < INT_GEMM_PANEL ? left : INT_GEMM_PANEL;

        for (size_t i = 0; i < n; i++) {
            size_t n_taps = sim_conv_tap_rows(c, image, first + i, c->tap_rows, c->tap_weights);

            if (c->is_wide)
                add_wide_taps(c->tap_rows, c->tap_weights, n_taps, channel, channels,
                              c->tile->wide_sums + i * INT_GEMM_PANEL);
            else
                add_taps(c->tap_rows, c->tap_weights, n_taps, channel, channels, c->tile->sums[0] + i * INT_GEMM_PANEL);
        }
        sim_conv_rescale(c, n, channel, channels, output);
    }
}

void sim_conv_run(struct sim_conv *c, const void *input, void *output, size_t n_images)
{
    size_t in_bytes = c->in_channels * sim_code_bytes(c->in_codes), pixels;

    if (c->node->op == OP_DENSE) {
        c->in_width = c->out_width = c->image_width = n_images * dense_rows(c);
        n_images = 1;
    }
    pixels = c->out_height * c->out_width;
    sim_conv_prepare(c);
    for (size_t r = 0; r < n_images; r++) {
        const char *image = sim_conv_image(c, (const char *)input + r * c->in_height * c->in_width * in_bytes);
        char *out = (char *)output + r * pixels * c->out_channels * c->out_item;

        for (size_t first = 0; first < pixels; first += SIM_BLOCK) {
            size_t n = pixels - first < SIM_BLOCK ? pixels - first : SIM_BLOCK;

            (c->is_depthwise ? run_depthwise_block : run_block)(c, image, first, n,
                                                                out + first * c->out_channels * c->out_item);
        }
    }
}
