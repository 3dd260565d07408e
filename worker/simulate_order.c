/* simulate_order.c — nodes without weights that need not leave the order their inputs are kept in.
 *
 * As everywhere, they compute on the reals of codes in float32 and round to the output's codes, with the results of
 * reference.h to the last bit. What is element by element runs in any order, piece by piece in the first-level cache;
 * pools and concats run on values with their channels last.
 */
#include "worker/simulate_private.h"

#include "common/isa.h"
#include "worker/reference_private.h"

#include <float.h>
#include <string.h>

enum { PIECE = 1024 }; /* elements: 4 KiB of floats */

static bool is_by_element(const struct plan *plan, const struct node *n)
{
    const struct shape *out = &plan->graph->values[n->outputs[0]].shape;

    return n->op == OP_ACTIVATION ||
           (n->op == OP_BINARY && shape_equal(&plan->graph->values[n->inputs[0]].shape, out) &&
            shape_equal(&plan->graph->values[n->inputs[1]].shape, out));
}

bool sim_keeps_order(const struct plan *plan, const struct sim_value *values, int node)
{
    const struct node *n = &plan->graph->nodes[node];
    bool any_order = is_by_element(plan, n);

    if (!any_order && (n->fused.kind != ACTIVATION_NONE || (n->op != OP_POOL && n->op != OP_CONCAT) ||
                       (n->op == OP_CONCAT && n->attr.axis != 1)))
        return false;
    for (size_t i = 0; i < n->n_inputs; i++) {
        int v = n->inputs[i];

        if (v == GRAPH_NONE || plan->graph->values[v].is_constant)
            return false;
        if (any_order ? values[v].is_last != values[n->inputs[0]].is_last
                      : !values[v].is_last && !sim_has_one_order(&values[v]))
            return false;
    }
    return true;
}

bool sim_order_is_last(const struct plan *plan, const struct sim_value *values, int node)
{
    const struct node *n = &plan->graph->nodes[node];

    return is_by_element(plan, n) ? values[n->inputs[0]].is_last : !sim_has_one_order(&values[n->outputs[0]]);
}

/* ---- element by element ---- */

ISA_CLONES static void add(const float *restrict a, const float *restrict b, size_t n, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

ISA_CLONES static void multiply(const float *restrict a, const float *restrict b, size_t n, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

static void combine(enum binary_kind kind, const float *a, const float *b, size_t n, float *y)
{
    if (kind == BINARY_ADD)
        add(a, b, n, y);
    else if (kind == BINARY_MUL)
        multiply(a, b, n, y);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = reference_binary_apply(kind, a[i], b[i]);
}

/* What a node reads of one input: steps of the output, or reals. */
struct reader {
    const struct simulator *s;
    int node, value;
    bool in_steps, is_lowered;
    struct sim_operand operand; /* in_steps */
};

static struct reader reader_of(const struct simulator *s, int node, size_t i)
{
    const struct node *n = &s->plan->graph->nodes[node];
    struct reader r = {.s = s,
                       .node = node,
                       .value = n->inputs[i],
                       .in_steps = sim_operands_apply(s->plan, node),
                       .is_lowered = sim_plan_value(s, n->outputs[0])->hides_zero_point};

    if (r.in_steps)
        r.operand = sim_operand_of(s, node, i);
    return r;
}

/* Elements [at, at + n): where they lie, or in `room`. */
static const float *read_elements(const struct reader *r, size_t at, size_t n, float *room)
{
    if (!r->in_steps)
        return sim_reals(r->s, r->node, r->value, r->is_lowered, at, n, room);
    sim_operand_steps(&r->operand, at, n, room);
    return room;
}

static void run_by_element(struct simulator *s, int node)
{
    const struct node *n = &s->plan->graph->nodes[node];
    const struct reader left = reader_of(s, node, 0), right = reader_of(s, node, n->n_inputs - 1);
    const bool adds_codes = sim_adds_codes(s->plan, node);
    const struct sim_sum sum = adds_codes ? sim_sum_of(s->plan, node) : (struct sim_sum){0};
    size_t elements = s->values[n->outputs[0]].elements * s->n_records;

    for (size_t at = 0; at < elements; at += PIECE) {
        size_t count = elements - at < PIECE ? elements - at : PIECE;
        float a_room[PIECE], b_room[PIECE], y[PIECE];
        const float *a = read_elements(&left, at, count, a_room);

        if (adds_codes) {
            sim_sum_steps(&sum, a, read_elements(&right, at, count, b_room), count, y);
        } else if (n->op == OP_BINARY) {
            combine(n->attr.binary.kind, a, read_elements(&right, at, count, b_room), count, y);
        } else {
            memcpy(y, a, count * sizeof *y);
            sim_activate(n->attr.activation, y, count);
        }
        if (!adds_codes)
            sim_activate(n->fused, y, count);
        if (left.in_steps || adds_codes)
            sim_store_steps(s, n->outputs[0], y, at, count);
        else
            sim_store(s, n->outputs[0], y, at, count);
    }
}

/* ---- pools ---- */

#define LARGER(type)                                                                                                   \
    ISA_CLONES static void larger_##type(const type *restrict x, size_t n, type *restrict largest)                     \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            largest[i] = x[i] > largest[i] ? x[i] : largest[i];                                                        \
    }

LARGER(uint8_t)
LARGER(int16_t)
LARGER(float)

ISA_CLONES static void add_to_sums(const float *restrict x, size_t n, double *restrict sums)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += (double)x[i];
}

struct pool {
    struct simulator *s;
    int index;
    const struct node *node;
    int in, out; /* values */
    struct image image;
    const char *items; /* what a max pool selects from: codes, or floats */
    size_t item;
    bool selects_codes, is_lowered;
};

/* The largest so far of every channel, in place of a code or float each. */
static void take_larger(const struct pool *p, size_t at, size_t channels, void *largest)
{
    const void *x = p->items + at * p->item;

    if (!p->selects_codes)
        larger_float(x, channels, largest);
    else if (p->s->values[p->in].codes.are_bytes)
        larger_uint8_t(x, channels, largest);
    else
        larger_int16_t(x, channels, largest);
}

/* A window's taps in row-major order: added to the sums where `largest` is NULL. Returns how many lie in the image. */
static int64_t sum_or_select(const struct pool *p, size_t image, int64_t top, int64_t left, void *largest)
{
    const struct window *w = &p->node->attr.pool.window;
    size_t channels = p->s->values[p->in].channels;
    int64_t seen = 0;

    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++) {
            int64_t row = top + i * w->dilation[0], column = left + j * w->dilation[1];
            size_t at;

            if (row < 0 || row >= p->image.rows || column < 0 || column >= p->image.columns)
                continue;
            at = ((image * (size_t)p->image.rows + (size_t)row) * (size_t)p->image.columns + (size_t)column) * channels;
            if (largest != NULL && seen == 0)
                memcpy(largest, p->items + at * p->item, channels * p->item);
            else if (largest != NULL)
                take_larger(p, at, channels, largest);
            else
                add_to_sums(sim_reals(p->s, p->index, p->in, p->is_lowered, at, channels, p->s->scratch), channels,
                            p->s->sums);
            seen++;
        }
    return seen;
}

static int64_t count_taps(const struct window *w, int axis, int64_t begin, int64_t size)
{
    int64_t n = 0;

    for (int64_t i = 0; i < w->kernel[axis]; i++)
        n += begin + i * w->dilation[axis] < size + w->pad_end[axis];
    return n;
}

static void select_largest(const struct pool *p, size_t image, int64_t top, int64_t left, float *y)
{
    const struct sim_value *in = &p->s->values[p->in];
    void *largest = p->selects_codes ? (void *)p->s->scratch : y;

    if (sum_or_select(p, image, top, left, largest) == 0)
        for (size_t c = 0; c < in->channels; c++)
            y[c] = -FLT_MAX; /* of a window that sees nothing, as in Caffe */
    else if (p->selects_codes)
        sim_decode(p->s, p->in, largest, p->is_lowered ? sim_plan_value(p->s, p->in)->codes.zero_point : 0, 0,
                   in->channels, y);
}

static void average(const struct pool *p, size_t image, int64_t top, int64_t left, float *y)
{
    const struct window *w = &p->node->attr.pool.window;
    size_t channels = p->s->values[p->in].channels;
    int64_t seen;

    memset(p->s->sums, 0, channels * sizeof *p->s->sums);
    seen = sum_or_select(p, image, top, left, NULL);
    if (p->node->attr.pool.count_include_pad)
        seen = count_taps(w, 0, top, p->image.rows) * count_taps(w, 1, left, p->image.columns);
    for (size_t c = 0; c < channels; c++)
        y[c] = seen == 0 ? 0 : (float)(p->s->sums[c] / (double)seen);
}

static void run_pool(struct simulator *s, int node)
{
    const struct node *n = &s->plan->graph->nodes[node];
    struct pool p = {.s = s, .index = node, .node = n, .in = n->inputs[0], .out = n->outputs[0]};
    const struct sim_value *in = &s->values[p.in];
    struct image out = reference_image(&s->plan->graph->values[p.out].shape);
    const struct window *w = &n->attr.pool.window;
    size_t at = 0;

    p.image = reference_image(&s->plan->graph->values[p.in].shape);
    p.is_lowered = sim_plan_value(s, p.out)->hides_zero_point;
    p.selects_codes = sim_reads_codes(s, node, p.in);
    if (n->attr.pool.kind == POOL_MAX) {
        p.items = p.selects_codes ? sim_codes_read(s, p.in) : sim_data(s, p.in);
        p.item = p.selects_codes ? sim_code_bytes(in->codes) : sizeof(float);
    }
    for (size_t image = 0; image < s->n_records * in->images; image++)
        for (int64_t y = 0; y < out.rows; y++)
            for (int64_t x = 0; x < out.columns; x++, at += in->channels) {
                int64_t top = y * w->stride[0] - w->pad_begin[0], left = x * w->stride[1] - w->pad_begin[1];

                (n->attr.pool.kind == POOL_MAX ? select_largest : average)(&p, image, top, left, s->result);
                sim_store(s, p.out, s->result, at, in->channels);
            }
}

/* ---- concats of channels ---- */

/* One record's image of one operand into its channels of the output, from channel `base` on. */
static void join(struct simulator *s, int node, const struct reader *reader, size_t image, size_t base)
{
    const struct node *n = &s->plan->graph->nodes[node];
    const struct sim_value *in = &s->values[reader->value], *out = &s->values[n->outputs[0]];
    const struct plan_value *plan = sim_plan_value(s, n->outputs[0]);
    size_t elements = in->channels * in->pixels, first = image * out->channels * out->pixels + base;
    const float *x = read_elements(reader, image * elements, elements, s->result);
    struct sim_quantizer quantizer = sim_quantizer_of(plan, s->plan->profile->activation_rounding);

    if (!sim_is_coded(s->plan, n->outputs[0])) {
        for (size_t i = 0; i < in->pixels; i++)
            sim_store(s, n->outputs[0], x + i * in->channels, first + i * out->channels, in->channels);
        return;
    }
    quantizer.scales = plan->n_scales == 1 ? NULL : plan->scale + base;
    quantizer.scale = reader->in_steps ? 1 : plan->scale[0];
    sim_quantize_rows((struct sim_rows){.x = x,
                                        .out = (char *)sim_data(s, n->outputs[0]) + first * sim_code_bytes(out->codes),
                                        .n = in->pixels,
                                        .length = in->channels,
                                        .x_stride = in->channels,
                                        .out_stride = out->channels},
                      &quantizer);
}

static void run_concat(struct simulator *s, int node)
{
    const struct node *n = &s->plan->graph->nodes[node];
    size_t base = 0;

    for (size_t i = 0; i < n->n_inputs; i++) {
        const struct sim_value *in = &s->values[n->inputs[i]];
        const struct reader reader = reader_of(s, node, i);

        for (size_t image = 0; image < s->n_records * in->images; image++)
            join(s, node, &reader, image, base);
        base += in->channels;
    }
}

void sim_run_in_order(struct simulator *s, int node)
{
    enum op op = s->plan->graph->nodes[node].op;

    if (op == OP_POOL)
        run_pool(s, node);
    else if (op == OP_CONCAT)
        run_concat(s, node);
    else
        run_by_element(s, node);
}
