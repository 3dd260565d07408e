/* report.c — see report.h. Percentages and errors are rounded to 1e-6 before they are printed. */
#include "coordinator/report_private.h"

#include "common/printable.h"
#include "coordinator/report_convergence.h"
#include "formats/json_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that JSON cannot hold (an error-free layer's SQNR) become null. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(round(x * 1e6) / 1e6) : json_null();
}

/* Of any magnitude: nine digits are printed. */
static json_t *significant(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* ---- what metrics tell, as fields of a JSON object; an allocation that failed leaves has_failed ---- */

struct fields {
    json_t *object;
    bool has_failed;
};

static void put(struct fields *fields, const char *name, json_t *value)
{
    if (json_object_set_new(fields->object, name, value) != 0) /* also of NULL */
        fields->has_failed = true;
}

static void put_number(void *context, const char *name, double value)
{
    put(context, name, number(value));
}

static void put_count(void *context, const char *name, uint64_t value)
{
    put(context, name, json_integer((json_int_t)value));
}

static void put_numbers(void *context, const char *name, const double *values, size_t n)
{
    struct fields *fields = context;
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < n; i++)
        fields->has_failed |= json_array_append_new(list, number(values[i])) != 0;
    put(fields, name, list);
}

static void put_matrix(void *context, const char *name, const uint64_t *values, size_t rows, size_t columns)
{
    struct fields *fields = context;
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < rows; i++) {
        json_t *row = json_array();

        for (size_t k = 0; row != NULL && k < columns; k++)
            fields->has_failed |= json_array_append_new(row, json_integer((json_int_t)values[i * columns + k])) != 0;
        fields->has_failed |= json_array_append_new(list, row) != 0;
    }
    put(fields, name, list);
}

/* Network 0 is fp32, 1 + i the evaluation's target i. */
static int set_metrics(json_t *object, const struct evaluation *evaluation, size_t network)
{
    struct fields fields = {.object = object};
    struct metric_sink sink = {&fields, put_number, put_count, put_numbers, put_matrix};
    const uint64_t *state = evaluation_counts(evaluation, network);

    for (size_t i = 0; metrics[i] != NULL; i++) {
        size_t n = metrics[i]->words(&evaluation->task);

        if (n > 0)
            metrics[i]->tell(&evaluation->task, state, network == 0, &sink);
        state += n;
    }
    return fields.has_failed ? -1 : 0;
}

/* The fraction of its codes that occur; NaN where they are not counted. */
static double used_codes(const struct plan_value *p, const struct value_error *e)
{
    int32_t n = p->codes.hi - p->codes.lo + 1;

    return p->is_quantized && n <= METRICS_CODES ? (double)value_error_used_codes(e) / n : NAN;
}

static int set_error(json_t *object, const struct plan_value *p, const struct value_error *e)
{
    return json_object_set_new(object, "sqnr_db", number(value_error_sqnr_db(e))) |
           json_object_set_new(object, "cosine", number(value_error_cosine(e))) |
           json_object_set_new(object, "mse", significant(value_error_mse(e))) |
           json_object_set_new(object, "max_error", number(value_error_max(e))) |
           json_object_set_new(object, "clipped",
                               number(e->elements == 0 ? 0 : (double)e->clipped / (double)e->elements)) |
           json_object_set_new(object, "used_codes", number(used_codes(p, e)));
}

static json_t *code(const struct plan_value *p, int32_t code)
{
    return p->is_quantized ? json_integer(code) : json_null();
}

/* Who makes a value, for people: the node's name and operator, or "input". */
static json_t *layer(const struct report *report, const struct report_target *t, size_t v)
{
    const struct value *value = &report->graph->values[v];
    const struct plan_value *p = &t->plan->values[v];
    const struct node *node = value->producer == GRAPH_NONE ? NULL : &report->graph->nodes[value->producer];
    const struct plan_node *w = node == NULL ? NULL : &t->plan->nodes[value->producer];
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "name", json_text(value->name), "node",
                  json_text(node == NULL ? "" : node->name), "op", node == NULL ? "input" : op_name(node->op),
                  "threshold", p->is_quantized ? json_real((double)p->threshold[p->widest]) : json_null(), "method",
                  p->is_quantized ? p->method : "float", "scale",
                  p->is_quantized ? json_real((double)p->scale[p->widest]) : json_null(), "zero_point",
                  code(p, p->codes.zero_point), "lo", code(p, p->codes.lo), "hi", code(p, p->codes.hi));
    int rc = object == NULL;

    if (rc == 0 && p->n_scales > 1)
        rc |= json_object_set_new(object, "channels", json_integer((json_int_t)p->n_scales));
    if (rc == 0 && w != NULL && w->is_quantized && w->n_weight_scales > 0) {
        rc |= json_object_set_new(object, "weights_method", json_string(w->method));
        rc |= json_object_set_new(object, "weights_mse_over_max_abs",
                                  number(w->weight_mse_max_abs > 0 ? w->weight_mse / w->weight_mse_max_abs : 1));
    }
    if (rc == 0 && report_is_measured(report, t, v))
        rc |= set_error(object, p, evaluation_error(report->evaluation, t->evaluation, (int)v));
    if (rc == 0 && report->evaluation != NULL && report->evaluation->local != NULL) {
        json_t *local = json_object();

        rc |= local == NULL ||
              set_error(local, p, evaluation_local_error(report->evaluation, t->evaluation, (int)v)) != 0 ||
              json_object_set(object, "local", local) != 0;
        json_decref(local);
    }
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *layers(const struct report *report, const struct report_target *t)
{
    json_t *list = json_array();

    for (size_t v = 0; list != NULL && v < report->graph->n_values; v++)
        if (report_shows(report, v) && json_array_append_new(list, layer(report, t, v)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *files(const struct report *report, const struct report_target *t)
{
    const struct output_file *all = NULL;
    json_t *list = json_array();

    if (report->output != NULL)
        output_files(report->output, &all);
    for (size_t i = 0; list != NULL && i < t->n_files; i++)
        if (json_array_append_new(list, json_text(all[t->first_file + i].name)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *warnings(const struct report *report, const struct report_target *t)
{
    json_t *list = json_array();
    char text[128];

    if (list != NULL && report_advice(t->target, report->records, text, sizeof text) &&
        json_array_append_new(list, json_string(text)) != 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* What target `i` of the evaluation has come to. */
static int set_results(json_t *object, const struct report *report, size_t i)
{
    const struct value_error *e = evaluation_error(report->evaluation, i, report->graph->outputs[0]);

    return set_metrics(object, report->evaluation, 1 + i) |
           json_object_set_new(object, "sqnr_db", number(value_error_sqnr_db(e)));
}

static json_t *variants(const struct report *report, const struct report_target *t)
{
    json_t *list = json_array(), *object;

    if (list == NULL || !t->has_variant || report->evaluation == NULL)
        return list;
    object = json_pack("{s:s}", "name", t->variant_name);
    if (object != NULL && set_results(object, report, t->variant) == 0 && json_array_append(list, object) == 0) {
        json_decref(object);
        return list;
    }
    json_decref(object);
    json_decref(list);
    return NULL;
}

static json_t *target_object(const struct report *report, const struct report_target *t)
{
    json_t *object = json_object();
    int rc = object == NULL;

    if (rc == 0 && t->error.code != 0)
        rc |= json_object_set_new(object, "error", json_text(t->error.text));
    if (rc == 0 && t->plan != NULL && report->evaluation != NULL)
        rc |= set_results(object, report, t->evaluation);
    if (rc == 0 && t->plan != NULL)
        rc |= json_object_set_new(object, "variants", variants(report, t)) |
              json_object_set_new(object, "layers", layers(report, t));
    if (rc == 0)
        rc |= json_object_set_new(object, "files", files(report, t)) |
              json_object_set_new(object, "warnings", warnings(report, t));
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Takes `root` (NULL: an allocation failed on the way). */
static char *print_json(json_t *root, struct error *err)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

    json_decref(root);
    if (text == NULL)
        error_set(err, EX_OSERR, "no memory for a report");
    return text;
}

/* Of the network as it was imported, against fp32's; NULL where it is not run. */
static json_t *original(const struct report *report)
{
    const struct evaluation *e = report->evaluation;
    json_t *object = e != NULL && e->has_original ? json_object() : NULL;

    if (object == NULL)
        return NULL;
    if (set_metrics(object, e, evaluation_networks(e) - 1) == 0 &&
        json_object_set_new(object, "sqnr_db", number(value_error_sqnr_db(&e->original))) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *bad_records(const struct report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < report->records->n_bad; i++)
        if (json_array_append_new(list, json_text(report->records->bad[i].reason)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

char *report_json(const struct report *report, struct error *err)
{
    json_t *fp32 = json_object(), *all = json_object(), *root;
    int rc = fp32 == NULL || all == NULL;

    if (rc == 0 && report->evaluation != NULL)
        rc |= set_metrics(fp32, report->evaluation, 0);
    for (size_t i = 0; rc == 0 && i < report->n_targets; i++)
        rc |= json_object_set_new(all, report->targets[i].target->name, target_object(report, &report->targets[i]));
    if (rc != 0) {
        json_decref(fp32);
        json_decref(all);
        return print_json(NULL, err);
    }
    root =
        json_pack("{s:o, s:s, s:{s:I, s:I, s:o}, s:o, s:o*, s:o, s:o}", "model", json_text(report->request->model_name),
                  "fingerprint", report->decisions_fingerprint, "records", "used", (json_int_t)report->records->n_used,
                  "skipped", (json_int_t)report->records->n_bad, "bad", bad_records(report), "convergence",
                  report_convergence_json(report), "original", original(report), "fp32", fp32, "targets", all);
    return print_json(root, err);
}

char *report_manifest(const struct report *report, struct error *err)
{
    const struct output_file *all = NULL;
    size_t n = output_files(report->output, &all);
    json_t *list = json_array();
    int rc = list == NULL;

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc |= json_array_append_new(list, json_pack("{s:o, s:I, s:s}", "name", json_text(all[i].name), "size_bytes",
                                                    (json_int_t)all[i].size_bytes, "sha256", all[i].sha256));
    if (rc != 0) {
        json_decref(list);
        return print_json(NULL, err);
    }
    return print_json(json_pack("{s:s, s:{s:s, s:s}, s:o}", "etalon", ETALON_VERSION, "fingerprint", "statistics",
                                report->statistics_fingerprint, "decisions", report->decisions_fingerprint, "files",
                                list),
                      err);
}

static json_t *stages_object(const struct stages *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "read", number(s->read), "decode", number(s->decode),
                     "preprocess", number(s->preprocess), "wait", number(s->wait), "compute", number(s->compute),
                     "observe", number(s->observe), "wait_share", number(stages_wait_share(s)));
}

static json_t *records_object(const struct stages *s)
{
    return json_pack("{s:I, s:I}", "read", (json_int_t)s->records_read, "run", (json_int_t)s->records_run);
}

/* Host names, in one line. */
static json_t *hosts_text(const struct comm *comm, const struct rank_times *ranks)
{
    char *line = malloc((size_t)comm->size * (sizeof ranks->host + 1) + 1), *end = line;
    json_t *text;

    if (line == NULL)
        return NULL;
    *end = '\0';
    for (int r = 0; r < comm->size; r++)
        end += sprintf(end, "%s%s", r > 0 ? " " : "", ranks[r].host);
    text = json_text(line);
    free(line);
    return text;
}

/* In the order of ranks. */
static json_t *ranks_object(const struct comm *comm, const struct rank_times *ranks)
{
    json_t *all = json_pack("{s:[], s:[], s:[]}", "mpi", "passes", "idle");
    int rc = all == NULL;

    for (int r = 0; rc == 0 && r < comm->size; r++) {
        rc |= json_array_append_new(json_object_get(all, "mpi"), number(ranks[r].mpi));
        rc |= json_array_append_new(json_object_get(all, "passes"), number(ranks[r].passes));
        rc |= json_array_append_new(json_object_get(all, "idle"), number(ranks[r].idle));
    }
    if (rc == 0)
        return all;
    json_decref(all);
    return NULL;
}

char *report_run(const struct comm *comm, const struct run_times *t, const struct rank_times *ranks,
                 const struct stages *calibration, const struct stages *evaluation, struct error *err)
{
    return print_json(json_pack("{s:i, s:o, s:{s:f, s:f, s:f, s:f, s:f}, s:o, s:{s:o, s:o}, s:{s:o, s:o}}", "ranks",
                                comm->size, "hosts", hosts_text(comm, ranks), "seconds", "load", t->load, "measure",
                                t->measure, "decide", t->decide, "evaluate", t->evaluate, "write", t->write,
                                "rank_seconds", ranks_object(comm, ranks), "thread_seconds", "calibration",
                                stages_object(calibration), "evaluation", stages_object(evaluation), "records",
                                "calibration", records_object(calibration), "evaluation", records_object(evaluation)),
                      err);
}
