/* report_table.c — what a run prints at its end: accuracies, and where they are lost; see report.h. */
#include "coordinator/report_private.h"

#include "common/printable.h"
#include "coordinator/report_convergence.h"

#include <inttypes.h>
#include <math.h>

/* The columns of all metrics. Network 0 is fp32. */
static size_t find_columns(const struct evaluation *evaluation, size_t network,
                           struct metric_column columns[METRIC_MAX_COLUMNS])
{
    const uint64_t *state = evaluation_counts(evaluation, network);

    for (size_t i = 0; metrics[i] != NULL; i++) {
        size_t n = metrics[i]->words(&evaluation->task);

        if (n > 0) /* one kind of network, one metric that speaks */
            return metrics[i]->columns(&evaluation->task, state, network == 0, columns);
        state += n;
    }
    return 0;
}

static void print_metrics(const struct evaluation *evaluation, const char *name, size_t network, FILE *out)
{
    struct metric_column columns[METRIC_MAX_COLUMNS];
    size_t n = find_columns(evaluation, network, columns);

    fprintf(out, "%-18s", name);
    for (size_t i = 0; i < n; i++) {
        if (isnan(columns[i].value))
            fprintf(out, "  %*s", columns[i].width, "-");
        else
            fprintf(out, "  %*.2f", columns[i].width, columns[i].value);
    }
}

static void print_headings(const struct evaluation *evaluation, FILE *out)
{
    struct metric_column columns[METRIC_MAX_COLUMNS];
    size_t n = find_columns(evaluation, evaluation->n_targets > 0, columns);

    fprintf(out, "%-18s", "network");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %*s", columns[i].width, columns[i].heading);
    fprintf(out, "  %8s   (%" PRIu64 " records)\n", "SQNR dB", evaluation->records.n_used);
}

static void print_remark(const struct evaluation *evaluation, size_t network, FILE *out)
{
    const uint64_t *state = evaluation_counts(evaluation, network);
    char text[METRIC_REMARK_BYTES] = "";

    for (size_t i = 0; metrics[i] != NULL; i++) {
        size_t n = metrics[i]->words(&evaluation->task);

        if (n > 0 && metrics[i]->remark != NULL)
            metrics[i]->remark(state, text);
        state += n;
    }
    fprintf(out, "%s%s\n", text[0] == '\0' ? "" : "  ", text);
}

/* The network as it was imported, behind fp32 as if it were a target. */
static void print_original(const struct evaluation *evaluation, FILE *out)
{
    if (!evaluation->has_original)
        return;
    print_metrics(evaluation, "original", evaluation_networks(evaluation) - 1, out);
    fprintf(out, "  %8.2f", value_error_sqnr_db(&evaluation->original));
    print_remark(evaluation, evaluation_networks(evaluation) - 1, out);
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

    fprintf(out, "\n%s: where it is lost\n  %-32s %-14s %-20s %12s %9s %8s%s\n", t->target->name, "value", "operator",
            "method", "threshold", "SQNR dB", "clipped", report->evaluation->local != NULL ? "  alone dB" : "");
    for (int line = 0; line < WORST_LAYERS; line++) {
        size_t worst = report->graph->n_values;
        double least = INFINITY;

        for (size_t v = 0; v < report->graph->n_values; v++) {
            double rank;

            if (!report_shows(report, v) || !t->plan->values[v].is_quantized || !report_is_measured(report, t, v))
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

            fprintf(out, "  %-32s %-14s %-20s %12g %9.2f %7.3f%%", printable_copy(name, sizeof name, value->name),
                    value->producer == GRAPH_NONE ? "input" : op_name(report->graph->nodes[value->producer].op),
                    p->method, (double)p->threshold[p->widest], value_error_sqnr_db(e),
                    e->elements == 0 ? 0 : 100.0 * (double)e->clipped / (double)e->elements);
            if (report->evaluation->local != NULL)
                fprintf(out, " %9.2f",
                        value_error_sqnr_db(evaluation_local_error(report->evaluation, t->evaluation, (int)worst)));
            fputc('\n', out);
        }
        printed = least;
        last = worst;
    }
}

/* Target `i` of the evaluation as a line. */
static void print_target(const struct report *report, const char *name, size_t i, FILE *out)
{
    print_metrics(report->evaluation, name, 1 + i, out);
    fprintf(out, "  %8.2f", value_error_sqnr_db(evaluation_error(report->evaluation, i, report->graph->outputs[0])));
    print_remark(report->evaluation, 1 + i, out);
}

void report_print(const struct report *report, FILE *out)
{
    char name[96];

    if (report->request->n_ready > 0)
        fprintf(out, "\n%s: ready-made\n", report->request->model_name);
    else
        fprintf(out, "\n%s: %" PRIu64 " calibration records used, %zu skipped\n", report->request->model_name,
                report->records->n_used, report->records->n_bad);
    report_convergence_print(report, out);
    if (report->evaluation == NULL)
        return;
    print_headings(report->evaluation, out);
    print_metrics(report->evaluation, "fp32", 0, out);
    fprintf(out, "\n");
    print_original(report->evaluation, out);
    for (size_t i = 0; i < report->n_targets; i++) {
        const struct report_target *t = &report->targets[i];

        if (t->plan == NULL) {
            fprintf(out, "%-18s  %s\n", t->target->name, t->error.text);
            continue;
        }
        print_target(report, t->target->name, t->evaluation, out);
        if (t->has_variant) {
            snprintf(name, sizeof name, "  if %s", t->variant_name);
            print_target(report, name, t->variant, out);
        }
    }
    for (size_t i = 0; i < report->n_targets; i++)
        if (report->targets[i].plan != NULL && !report->request->evaluate.skips_layers)
            print_worst(report, &report->targets[i], out);
}
