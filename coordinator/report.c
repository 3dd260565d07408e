/* report.c — see report.h. Percentages and errors are rounded to 1e-6 before they are printed. */
#include "coordinator/report.h"

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

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : 100.0 * (double)part / (double)whole;
}

/* Of the records whose outputs are finite: NaN where there are none. */
static double mean_divergence(const struct accuracy *a)
{
    return a->diverging == 0 ? NAN : exact_sum_value(&a->divergence) / (double)a->diverging;
}

/* {"top1": ..., "top1_standard_error": ..., ...} for the job's list of k; null without labels. */
static int set_accuracy(json_t *object, const struct run_request *request, const struct accuracy *a)
{
    int rc = 0;

    for (size_t k = 0; k < request->evaluate.n_top_k; k++) {
        char name[32];

        snprintf(name, sizeof name, "top%zu", request->evaluate.top_k[k]);
        rc |= json_object_set_new(object, name, number(percent(a->top_hits[k], a->labelled)));
        snprintf(name, sizeof name, "top%zu_standard_error", request->evaluate.top_k[k]);
        rc |= json_object_set_new(object, name, number(100 * standard_error(a->top_hits[k], a->labelled)));
    }
    return rc;
}

/* The fraction of its codes that occur; NaN where they are not counted. */
static double used_codes(const struct plan_value *p, const struct value_error *e)
{
    int32_t n = p->codes.hi - p->codes.lo + 1;

    return p->is_quantized && n <= METRICS_CODES ? (double)value_error_used_codes(e) / n : NAN;
}

/* Who makes a value, for people: the node's name and operator, or "input". */
static json_t *layer(const struct report *report, const struct report_target *t, size_t v)
{
    const struct value *value = &report->graph->values[v];
    const struct plan_value *p = &t->plan->values[v];
    const struct node *node = value->producer == GRAPH_NONE ? NULL : &report->graph->nodes[value->producer];
    const struct plan_node *w = node == NULL ? NULL : &t->plan->nodes[value->producer];
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:o}", "name", json_text(value->name), "node",
                  json_text(node == NULL ? "" : node->name), "op", node == NULL ? "input" : op_name(node->op),
                  "threshold", p->is_quantized ? json_real((double)p->threshold[p->widest]) : json_null(), "method",
                  p->is_quantized ? p->method : "float", "scale",
                  p->is_quantized ? json_real((double)p->scale[p->widest]) : json_null());
    int rc = object == NULL;

    if (rc == 0 && p->n_scales > 1)
        rc |= json_object_set_new(object, "channels", json_integer((json_int_t)p->n_scales));
    if (rc == 0 && w != NULL && w->is_quantized && w->weight_codes != NULL) {
        rc |= json_object_set_new(object, "weights_method", json_string(w->method));
        rc |= json_object_set_new(object, "weights_mse_over_max_abs",
                                  number(w->weight_mse_max_abs > 0 ? w->weight_mse / w->weight_mse_max_abs : 1));
    }
    if (rc == 0 && report->evaluation != NULL) {
        const struct value_error *e = evaluation_error(report->evaluation, t->evaluation, (int)v);

        rc |= json_object_set_new(object, "sqnr_db", number(value_error_sqnr_db(e)));
        rc |= json_object_set_new(object, "cosine", number(value_error_cosine(e)));
        rc |= json_object_set_new(object, "max_error", number(value_error_max(e)));
        rc |= json_object_set_new(object, "clipped",
                                  number(e->elements == 0 ? 0 : (double)e->clipped / (double)e->elements));
        rc |= json_object_set_new(object, "used_codes", number(used_codes(p, e)));
    }
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool is_reported(const struct report *report, size_t v)
{
    return !report->graph->values[v].is_constant && report->graph->values[v].dtype == DTYPE_FLOAT32;
}

static json_t *layers(const struct report *report, const struct report_target *t)
{
    json_t *list = json_array();

    for (size_t v = 0; list != NULL && v < report->graph->n_values; v++)
        if (is_reported(report, v) && json_array_append_new(list, layer(report, t, v)) != 0) {
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

/* What network `i` of the evaluation has come to. */
static int set_results(json_t *object, const struct report *report, size_t i)
{
    const struct accuracy *a = &report->evaluation->targets[i];
    const struct value_error *e = evaluation_error(report->evaluation, i, report->graph->outputs[0]);
    bool is_paired = a->labelled > 0;

    return set_accuracy(object, report->request, a) |
           json_object_set_new(object, "agreement", number(percent(a->agreements, a->records))) |
           json_object_set_new(object, "agreement_standard_error",
                               number(100 * standard_error(a->agreements, a->records))) |
           json_object_set_new(object, "lost", is_paired ? json_integer((json_int_t)a->lost) : json_null()) |
           json_object_set_new(object, "gained", is_paired ? json_integer((json_int_t)a->gained) : json_null()) |
           json_object_set_new(object, "mcnemar_p", number(is_paired ? mcnemar_p(a->lost, a->gained) : NAN)) |
           json_object_set_new(object, "kl_divergence", number(mean_divergence(a))) |
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
        rc |= set_accuracy(fp32, report->request, &report->evaluation->fp32);
    for (size_t i = 0; rc == 0 && i < report->n_targets; i++)
        rc |= json_object_set_new(all, report->targets[i].target->name, target_object(report, &report->targets[i]));
    if (rc != 0) {
        json_decref(fp32);
        json_decref(all);
        return print_json(NULL, err);
    }
    root = json_pack("{s:o, s:s, s:{s:I, s:I, s:o}, s:o, s:o, s:o}", "model", json_text(report->request->model_name),
                     "fingerprint", report->decisions_fingerprint, "records", "used",
                     (json_int_t)report->records->n_used, "skipped", (json_int_t)report->records->n_bad, "bad",
                     bad_records(report), "convergence", report_convergence_json(report), "fp32", fp32, "targets", all);
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

char *report_run(const struct comm *comm, const struct run_times *t, const char *hosts,
                 const struct stages *calibration, const struct stages *evaluation, struct error *err)
{
    return print_json(json_pack("{s:i, s:o, s:{s:f, s:f, s:f, s:f, s:f}, s:{s:o, s:o}}", "ranks", comm->size, "hosts",
                                json_text(hosts), "seconds", "load", t->load, "measure", t->measure, "decide",
                                t->decide, "evaluate", t->evaluate, "write", t->write, "thread_seconds", "calibration",
                                stages_object(calibration), "evaluation", stages_object(evaluation)),
                      err);
}

/* ---- the table ---- */

static void print_accuracy(const struct report *report, const char *name, const struct accuracy *a, bool is_target,
                           FILE *out)
{
    fprintf(out, "%-18s", name);
    for (size_t k = 0; k < report->request->evaluate.n_top_k; k++) {
        if (a->labelled > 0)
            fprintf(out, "  %8.2f", percent(a->top_hits[k], a->labelled));
        else
            fprintf(out, "  %8s", "-");
    }
    if (is_target)
        fprintf(out, "  %10.2f", percent(a->agreements, a->records));
}

enum { WORST_LAYERS = 5 };

/* SQNR as an order: NaN, from activations that were NaN or Inf, is as bad as noise without signal. */
static double sqnr_rank(const struct report *report, const struct report_target *t, size_t v)
{
    double sqnr = value_error_sqnr_db(evaluation_error(report->evaluation, t->evaluation, (int)v));

    return isnan(sqnr) ? -INFINITY : sqnr;
}

/* The layers with the lowest SQNR: where accuracy is lost. Ties print in graph order. */
static void print_worst(const struct report *report, const struct report_target *t, FILE *out)
{
    double printed = 0; /* rank and place of the last one printed */
    size_t last = 0;

    fprintf(out, "\n%s: where it is lost\n  %-32s %-14s %-20s %12s %9s %8s\n", t->target->name, "value", "operator",
            "method", "threshold", "SQNR dB", "clipped");
    for (int line = 0; line < WORST_LAYERS; line++) {
        size_t worst = report->graph->n_values;
        double least = INFINITY;

        for (size_t v = 0; v < report->graph->n_values; v++) {
            double rank;

            if (!is_reported(report, v) || !t->plan->values[v].is_quantized)
                continue;
            rank = sqnr_rank(report, t, v);
            if (rank < least && (line == 0 || rank > printed || (rank >= printed && v > last))) {
                least = rank;
                worst = v;
            }
        }
        if (worst == report->graph->n_values)
            return;
        {
            const struct value *value = &report->graph->values[worst];
            const struct plan_value *p = &t->plan->values[worst];
            const struct value_error *e = evaluation_error(report->evaluation, t->evaluation, (int)worst);
            char name[32 + PRINTABLE_MARGIN - 1]; /* as wide as its column */

            fprintf(out, "  %-32s %-14s %-20s %12g %9.2f %7.3f%%\n", printable_copy(name, sizeof name, value->name),
                    value->producer == GRAPH_NONE ? "input" : op_name(report->graph->nodes[value->producer].op),
                    p->method, (double)p->threshold[p->widest], value_error_sqnr_db(e),
                    e->elements == 0 ? 0 : 100.0 * (double)e->clipped / (double)e->elements);
        }
        printed = least;
        last = worst;
    }
}

/* Network `i` of the evaluation as a line. */
static void print_network(const struct report *report, const char *name, size_t i, FILE *out)
{
    const struct accuracy *a = &report->evaluation->targets[i];
    double sqnr = value_error_sqnr_db(evaluation_error(report->evaluation, i, report->graph->outputs[0]));

    print_accuracy(report, name, a, true, out);
    fprintf(out, "  %8.2f", sqnr);
    if (a->labelled > 0)
        fprintf(out, "  %" PRIu64 " lost, %" PRIu64 " gained, p %.2g", a->lost, a->gained,
                mcnemar_p(a->lost, a->gained));
    fprintf(out, "\n");
}

void report_print(const struct report *report, FILE *out)
{
    char name[96];

    fprintf(out, "\n%s: %" PRIu64 " calibration records used, %zu skipped\n", report->request->model_name,
            report->records->n_used, report->records->n_bad);
    report_convergence_print(report, out);
    if (report->evaluation == NULL)
        return;
    fprintf(out, "%-18s", "network");
    for (size_t k = 0; k < report->request->evaluate.n_top_k; k++)
        fprintf(out, "    top-%-2zu", report->request->evaluate.top_k[k]);
    fprintf(out, "  %10s  %8s   (%" PRIu64 " records)\n", "agreement", "SQNR dB", report->evaluation->records.n_used);
    print_accuracy(report, "fp32", &report->evaluation->fp32, false, out);
    fprintf(out, "\n");
    for (size_t i = 0; i < report->n_targets; i++) {
        const struct report_target *t = &report->targets[i];

        if (t->plan == NULL) {
            fprintf(out, "%-18s  %s\n", t->target->name, t->error.text);
            continue;
        }
        print_network(report, t->target->name, t->evaluation, out);
        if (t->has_variant) {
            snprintf(name, sizeof name, "  if %s", t->variant_name);
            print_network(report, name, t->variant, out);
        }
    }
    for (size_t i = 0; i < report->n_targets; i++)
        if (report->targets[i].plan != NULL)
            print_worst(report, &report->targets[i], out);
}
