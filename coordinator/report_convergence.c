/* report_convergence.c — see report_convergence.h. */
#include "coordinator/report_convergence.h"

#include "common/printable.h"
#include "formats/json_text.h"

#include <inttypes.h>
#include <math.h>

/* Where a job does not say what is stable. The squared error of a value is flat around its best threshold: one that is
 * 10 % off costs the median value of ResNet-20 0.3 dB (too large) to 0.6 dB (too small), 5 % a fourth of that. */
static const double default_limit = 0.1;

static double limit_of(const struct report *report)
{
    double limit = report->request->calibration.stop_when_stable;

    return limit > 0 ? limit : default_limit;
}

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

static json_t *values_list(const struct report *report, const struct convergence *c)
{
    json_t *list = json_array();

    for (size_t v = 0; list != NULL && v < c->n_values; v++)
        if (c->values[v].thresholds[OBSERVE_PARTS - 1] > 0 &&
            json_array_append_new(list, value_object(report->graph->values[v].name, &c->values[v])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *report_convergence_json(const struct report *report)
{
    const struct convergence *c = report->convergence;
    double limit = limit_of(report);

    if (c->most < 0)
        return json_null();
    return json_pack(
        "{s:s, s:f, s:f, s:o, s:b, s:I, s:o, s:o}", "method", report->request->calibration.activations->name, "limit",
        limit, "moved", round(c->moved * 1e6) / 1e6, "moved_most", json_text(report->graph->values[c->most].name),
        "is_enough", c->moved <= limit, "settled_from", (json_int_t)c->records[convergence_settled(c, limit)],
        "records", records_list(c), "values", values_list(report, c));
}

/* `most`: the name of the value that moved most. */
static void print_sentence(const struct convergence *c, const char *most, uint64_t n_used, double limit, FILE *out)
{
    char name[64 + PRINTABLE_MARGIN];
    size_t settled = convergence_settled(c, limit);

    fprintf(out, "thresholds moved by at most %.3g %% from half of the records to all (%s): ", 100 * c->moved,
            printable_copy(name, sizeof name, most));
    fprintf(out, "%" PRIu64 " are %s for %.2g %%", n_used, c->moved > limit ? "not enough" : "enough", 100 * limit);
    if (c->moved <= limit && settled < OBSERVE_PARTS - 1)
        fprintf(out, ", and so were %" PRIu64, c->records[settled]);
    fputc('\n', out);
}

void report_convergence_print(const struct report *report, FILE *out)
{
    const struct convergence *c = report->convergence;

    if (c->most >= 0)
        print_sentence(c, report->graph->values[c->most].name, report->records->n_used, limit_of(report), out);
}

int report_convergence_of_archive(const struct comm *comm, const struct archive *archive,
                                  const struct run_request *request, FILE *out, struct error *err)
{
    struct observe_parts parts = {.n_values = archive->n_values};
    double stable = request->calibration.stop_when_stable;
    struct convergence c;

    if (archive->n_parts != OBSERVE_PARTS)
        return 0;
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        parts.cut.n_blocks[p] = archive->part_sizes[p].n_blocks;
        parts.n_records[p] = archive->part_sizes[p].n_records;
        parts.of[p] = archive->parts[p]; /* lent */
    }
    if (convergence_find(comm, request->calibration.activations, request->calibration.percentile, &parts, &c, err) != 0)
        return -1;
    if (c.most >= 0)
        print_sentence(&c, archive->values[c.most].name, archive->records_used, stable > 0 ? stable : default_limit,
                       out);
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
