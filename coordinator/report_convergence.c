/* report_convergence.c — see report_convergence.h. */
#include "coordinator/report_convergence.h"

#include "common/printable.h"
#include "formats/json_text.h"

#include <inttypes.h>
#include <math.h>

/* Where a job does not say what is stable. The squared error of a value is flat around its best threshold: one that is
 * 10 % off costs the median value of ResNet-20 0.3 dB (too large) to 0.6 dB (too small), 5 % a fourth of that. */
static const double default_limit = 0.1;

/* What is told, of a run or of its archive. */
struct told {
    const struct convergence *convergence;
    const struct run_request *request;
    uint64_t n_used;
    const char *(*name)(const void *of, size_t value);
    const void *of;
};

static const char *name_in_graph(const void *graph, size_t value)
{
    return ((const struct graph *)graph)->values[value].name;
}

static const char *name_in_archive(const void *archive, size_t value)
{
    return ((const struct archive *)archive)->values[value].name;
}

static struct told told_of(const struct report *report)
{
    return (struct told){report->convergence, report->request, report->records->n_used, name_in_graph, report->graph};
}

static double limit_of(const struct told *told)
{
    double limit = told->request->calibration.stop_when_stable;

    return limit > 0 ? limit : default_limit;
}

/* ---- JSON ---- */

static json_t *records_list(const struct convergence *c)
{
    json_t *list = json_array();

    for (size_t p = 0; list != NULL && p < OBSERVE_PARTS; p++)
        json_array_append_new(list, json_integer((json_int_t)c->records[p]));
    return list;
}

static json_t *threshold(float x)
{
    return x > 0 ? json_real((double)x) : json_null();
}

static json_t *value_object(const char *name, const struct convergence_value *value)
{
    json_t *list = json_array();

    for (size_t p = 0; list != NULL && p < OBSERVE_PARTS; p++)
        json_array_append_new(list, threshold(value->thresholds[p]));
    return json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(name), "thresholds", list, "low", threshold(value->low),
                     "high", threshold(value->high));
}

static json_t *values_list(const struct told *told)
{
    const struct convergence *c = told->convergence;
    json_t *list = json_array();

    for (size_t v = 0; v < c->n_values; v++)
        if (c->values[v].thresholds[OBSERVE_PARTS - 1] > 0)
            json_append(&list, value_object(told->name(told->of, v), &c->values[v]));
    return list;
}

static json_t *object(const struct told *told)
{
    const struct convergence *c = told->convergence;
    double limit = limit_of(told);

    if (c->most < 0)
        return json_null();
    return json_pack("{s:s, s:f, s:f, s:o, s:b, s:I, s:o, s:o}", "method", told->request->calibration.activations->name,
                     "limit", limit, "moved", round(c->moved * 1e6) / 1e6, "moved_most",
                     json_text(told->name(told->of, (size_t)c->most)), "is_enough", c->moved <= limit, "settled_from",
                     (json_int_t)c->records[convergence_settled(c, limit)], "records", records_list(c), "values",
                     values_list(told));
}

json_t *report_convergence_json(const struct report *report)
{
    const struct told told = told_of(report);

    return object(&told);
}

/* ---- one sentence ---- */

static void print_sentence(const struct told *told, FILE *out)
{
    const struct convergence *c = told->convergence;
    double limit = limit_of(told);
    char name[64 + PRINTABLE_MARGIN];
    size_t settled = convergence_settled(c, limit);

    if (c->most < 0)
        return;
    fprintf(out, "thresholds moved by at most %.3g %% from half of the records to all (%s): ", 100 * c->moved,
            printable_copy(name, sizeof name, told->name(told->of, (size_t)c->most)));
    fprintf(out, "%" PRIu64 " are %s for %.2g %%", told->n_used, c->moved > limit ? "not enough" : "enough",
            100 * limit);
    if (c->moved <= limit && settled < OBSERVE_PARTS - 1)
        fprintf(out, ", and so were %" PRIu64, c->records[settled]);
    fputc('\n', out);
}

void report_convergence_print(const struct report *report, FILE *out)
{
    const struct told told = told_of(report);

    print_sentence(&told, out);
}

/* ---- of an archive ---- */

int report_convergence_of_archive(const struct comm *comm, const struct archive *archive,
                                  const struct run_request *request, FILE *out, json_t **json, struct error *err)
{
    struct observe_parts parts = {.n_values = archive->n_values};
    struct convergence c;
    const struct told told = {&c, request, archive->records_used, name_in_archive, archive};

    if (json != NULL)
        *json = json_null();
    if (archive->n_parts != OBSERVE_PARTS)
        return 0;
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        parts.cut.n_blocks[p] = archive->part_sizes[p].n_blocks;
        parts.n_records[p] = archive->part_sizes[p].n_records;
        parts.of[p] = archive->parts[p]; /* lent */
    }
    if (convergence_find(comm, request->calibration.activations, request->calibration.percentile, &parts, &c, err) != 0)
        return -1;
    if (out != NULL)
        print_sentence(&told, out);
    if (json != NULL)
        *json = object(&told);
    convergence_fini(&c);
    return 0;
}

bool report_advice(const struct target *target, const struct pass_result *records, char *text, size_t size)
{
    if (records->n_used >= target->advised_records)
        return false;
    snprintf(text, size, "%" PRIu64 " calibration records were used; its makers advise %" PRIu64 " or more",
             records->n_used, target->advised_records);
    return true;
}
