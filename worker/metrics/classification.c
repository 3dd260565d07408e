/* classification.c — one class a record: top-k, agreement with fp32, what was lost and gained, divergence of scores. */
#include "worker/metrics/metric.h"

#include <inttypes.h>
#include <stdio.h>

struct accuracy { /* of one network */
    uint64_t records, labelled;
    uint64_t top_hits[METRICS_MAX_TOP]; /* per k of the job's top_k list */
    uint64_t agreements;                /* arg-max equal to fp32's */
    uint64_t lost, gained;              /* labelled, and right in fp32 alone, or here alone, by arg-max */
    uint64_t diverging;                 /* records in `divergence` */
    struct exact_sum divergence;        /* Kullback-Leibler divergence of the outputs from fp32's, in nats */
};

_Static_assert(sizeof(struct accuracy) % sizeof(uint64_t) == 0, "words only, so that they can be summed as such");

static size_t words(const struct metric_task *task)
{
    return task->is_segmentation ? 0 : sizeof(struct accuracy) / sizeof(uint64_t);
}

/* Is the output one score a class? A map of scores, or a list of boxes, has no distribution to compare. */
static bool has_classes(const struct metric_task *task)
{
    size_t n_long = 0;

    for (size_t i = 0; i < task->output.rank; i++)
        n_long += task->output.dims[i] > 1;
    return n_long == 1;
}

static void add(const struct metric_task *task, const struct metric_sample *sample, uint64_t *state)
{
    struct accuracy *a = (struct accuracy *)state;
    size_t n = (size_t)shape_elements(&task->output), fp32 = arg_max(sample->fp32, n),
           choice = arg_max(sample->output, n);

    a->records++;
    a->agreements += choice == fp32;
    if (sample->output != sample->fp32 && has_classes(task)) {
        double divergence = output_divergence(sample->fp32, sample->output, n, task->are_probabilities);

        if (isfinite(divergence)) {
            exact_sum_add(&a->divergence, divergence);
            a->diverging++;
        }
    }
    if (sample->label < 0)
        return;
    a->labelled++;
    a->lost += fp32 == (size_t)sample->label && choice != (size_t)sample->label;
    a->gained += fp32 != (size_t)sample->label && choice == (size_t)sample->label;
    for (size_t k = 0; k < task->n_top_k; k++)
        a->top_hits[k] += in_top_k(sample->output, n, sample->label, task->top_k[k]);
}

static void normalise(uint64_t *state)
{
    exact_sum_normalise(&((struct accuracy *)state)->divergence);
}

static size_t columns(const struct metric_task *task, const uint64_t *state, bool is_fp32,
                      struct metric_column columns[METRIC_MAX_COLUMNS])
{
    const struct accuracy *a = (const struct accuracy *)state;
    size_t n = 0;

    for (; n < task->n_top_k; n++) {
        columns[n] = (struct metric_column){.width = 8, .value = metric_percent(a->top_hits[n], a->labelled)};
        snprintf(columns[n].heading, sizeof columns[n].heading, "top-%-2zu", task->top_k[n]);
    }
    if (!is_fp32)
        columns[n++] = (struct metric_column){"agreement", 10, metric_percent(a->agreements, a->records)};
    return n;
}

static void remark(const uint64_t *state, char text[METRIC_REMARK_BYTES])
{
    const struct accuracy *a = (const struct accuracy *)state;

    text[0] = '\0';
    if (a->labelled > 0)
        snprintf(text, METRIC_REMARK_BYTES, "%" PRIu64 " lost, %" PRIu64 " gained, p %.2g", a->lost, a->gained,
                 mcnemar_p(a->lost, a->gained));
}

static void tell_accuracies(const struct metric_task *task, const struct accuracy *a, const struct metric_sink *sink)
{
    char name[32];

    for (size_t k = 0; k < task->n_top_k; k++) {
        snprintf(name, sizeof name, "top%zu", task->top_k[k]);
        sink->number(sink->context, name, metric_percent(a->top_hits[k], a->labelled));
        snprintf(name, sizeof name, "top%zu_standard_error", task->top_k[k]);
        sink->number(sink->context, name, 100 * standard_error(a->top_hits[k], a->labelled));
    }
}

static void tell(const struct metric_task *task, const uint64_t *state, bool is_fp32, const struct metric_sink *sink)
{
    const struct accuracy *a = (const struct accuracy *)state;

    tell_accuracies(task, a, sink);
    if (is_fp32)
        return;
    sink->number(sink->context, "agreement", metric_percent(a->agreements, a->records));
    sink->number(sink->context, "agreement_standard_error", 100 * standard_error(a->agreements, a->records));
    if (a->labelled > 0) {
        sink->count(sink->context, "lost", a->lost);
        sink->count(sink->context, "gained", a->gained);
    } else {
        sink->number(sink->context, "lost", NAN);
        sink->number(sink->context, "gained", NAN);
    }
    sink->number(sink->context, "mcnemar_p", a->labelled > 0 ? mcnemar_p(a->lost, a->gained) : NAN);
    /* Of the records whose outputs are finite. */
    sink->number(sink->context, "kl_divergence",
                 a->diverging == 0 ? NAN : exact_sum_value(&a->divergence) / (double)a->diverging);
}

const struct metric metric_classification = {
    .name = "classification",
    .words = words,
    .add = add,
    .normalise = normalise,
    .columns = columns,
    .remark = remark,
    .tell = tell,
};
