/* compare_print.c — a comparison for people; see compare.h. */
#include "coordinator/compare.h"

#include "common/printable.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NAME_WIDTH = 36, NAME_BYTES = NAME_WIDTH + PRINTABLE_MARGIN - 1 };

static size_t shown(size_t n, size_t rows)
{
    return rows > 0 && n > rows ? rows : n;
}

static void print_rest(size_t n, size_t rows, FILE *out)
{
    if (shown(n, rows) < n)
        fprintf(out, "  ... and %zu more (--rows 0 shows all)\n", n - shown(n, rows));
}

static const char *same(const char *a, const char *b)
{
    return a[0] == '\0' || b[0] == '\0' ? "not known" : strcmp(a, b) == 0 ? "the same" : "another";
}

static void print_basis(const struct comparison *c, FILE *out)
{
    const struct archive *a = &c->sides[BEFORE].archive, *b = &c->sides[AFTER].archive;

    fputs("before: ", out);
    printable_print(c->sides[BEFORE].name, out);
    fputs("\nafter:  ", out);
    printable_print(c->sides[AFTER].name, out);
    fputc('\n', out);
    if (!c->has_statistics)
        return;
    fprintf(out, "model: %s; way of measuring: %s; records: %s, %" PRIu64 " and %" PRIu64 " used\n",
            same(a->model_fingerprint, b->model_fingerprint),
            same(a->measurement_fingerprint, b->measurement_fingerprint),
            same(a->statistics_fingerprint, b->statistics_fingerprint), a->records_used, b->records_used);
}

static void print_name(const char *name, FILE *out)
{
    char text[NAME_BYTES];

    fprintf(out, "  %-*s", NAME_WIDTH, printable_copy(text, sizeof text, name));
}

/* A number, its successor, and the difference; "-" for what is not known. */
static void print_change(double before, double after, FILE *out)
{
    if (isnan(before))
        fprintf(out, " %10s", "-");
    else
        fprintf(out, " %10.2f", before);
    if (isnan(after))
        fprintf(out, " %10s", "-");
    else
        fprintf(out, " %10.2f", after);
    if (isfinite(after - before))
        fprintf(out, " %+9.2f", after - before);
    else
        fprintf(out, " %9s", "");
}

static void print_metrics(const struct comparison *c, FILE *out)
{
    if (c->n_metrics == 0)
        return;
    fprintf(out, "\n%-22s %-12s %10s %10s %9s\n", "network", "", "before", "after", "change");
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct compared_metric *m = &c->metrics[i];
        char network[NAME_BYTES], name[NAME_BYTES];

        fprintf(out, "%-22s %-12s", printable_copy(network, sizeof network, m->network),
                printable_copy(name, sizeof name, m->name));
        print_change(m->at[BEFORE], m->at[AFTER], out);
        fputc('\n', out);
    }
}

static size_t count_moved_values(const struct comparison *c)
{
    size_t n = 0;

    while (n < c->n_values && c->values[n].distance > 0)
        n++;
    return n;
}

static void print_statistics(const struct comparison *c, size_t rows, FILE *out)
{
    size_t n = count_moved_values(c);

    if (!c->has_statistics)
        return;
    fprintf(out, "\nstatistics: %zu of %zu values moved\n", n, c->n_values);
    if (n > 0)
        fprintf(out, "  %-*s %8s  %22s  %22s  %15s\n", NAME_WIDTH, "value", "distance", "min", "max", "zeros");
    for (size_t v = 0; v < shown(n, rows); v++) {
        const struct compared_value *value = &c->values[v];

        print_name(value->name, out);
        fprintf(out, " %8.4f  %10.4g -> %8.4g  %10.4g -> %8.4g  %5.1f%% -> %4.1f%%\n", value->distance,
                (double)value->at[BEFORE].min, (double)value->at[AFTER].min, (double)value->at[BEFORE].max,
                (double)value->at[AFTER].max, 100 * value->at[BEFORE].zeros, 100 * value->at[AFTER].zeros);
    }
    print_rest(n, rows, out);
}

static void print_list(const char *what, const char *const *names, size_t n, size_t rows, FILE *out)
{
    if (n == 0)
        return;
    fprintf(out, "%s\n", what);
    for (size_t i = 0; i < shown(n, rows); i++) {
        fputs("  ", out);
        printable_print(names[i], out);
        fputc('\n', out);
    }
    print_rest(n, rows, out);
}

/* One that is not known may be the same. */
static bool has_other_zero(const struct compared_decision *d)
{
    return fabs(d->at[BEFORE].zero_point - d->at[AFTER].zero_point) > 0;
}

static bool is_changed(const struct compared_decision *d)
{
    const struct compared_choice *a = &d->at[BEFORE], *b = &d->at[AFTER];

    return !a->is_there || !b->is_there || a->threshold != b->threshold || a->scale != b->scale || has_other_zero(d) ||
           strcmp(a->method, b->method) != 0;
}

/* "mse", or "mse -> kl" */
static void print_methods(const char *before, const char *after, FILE *out)
{
    fputs("  ", out);
    printable_print(before, out);
    if (strcmp(before, after) != 0) {
        fputs(" -> ", out);
        printable_print(after, out);
    }
}

static void print_decision(const struct compared_decision *d, FILE *out)
{
    const struct compared_choice *a = &d->at[BEFORE], *b = &d->at[AFTER];

    print_name(d->value, out);
    if (!a->is_there || !b->is_there) {
        const struct compared_choice *one = a->is_there ? a : b;

        fprintf(out, " %10s  threshold %.6g, scale %.6g", a->is_there ? "lost" : "new", (double)one->threshold,
                (double)one->scale);
        print_methods(one->method, one->method, out);
        fputc('\n', out);
        return;
    }
    fprintf(out, " %9.2f%%  %10.5g -> %8.5g  %10.4g -> %8.4g", 100 * d->moved, (double)a->threshold,
            (double)b->threshold, (double)a->scale, (double)b->scale);
    if (isfinite(b->sqnr_db - a->sqnr_db))
        fprintf(out, "  %6.2f -> %5.2f", a->sqnr_db, b->sqnr_db);
    else
        fprintf(out, "  %15s", "");
    print_methods(a->method, b->method, out);
    if (has_other_zero(d))
        fprintf(out, ", zero %.0f -> %.0f", a->zero_point, b->zero_point);
    fputc('\n', out);
}

static void print_target(const struct compared_target *t, size_t rows, FILE *out)
{
    size_t n = 0, printed = 0;

    fputs("\ntarget ", out);
    printable_print(t->name, out);
    if (!t->is_there[BEFORE] || !t->is_there[AFTER]) {
        fprintf(out, ": %s\n", t->is_there[BEFORE] ? "lost" : t->is_there[AFTER] ? "new" : "failed in both");
        return;
    }
    for (size_t i = 0; i < t->n_decisions; i++)
        n += is_changed(&t->decisions[i]);
    fprintf(out, ": %zu of %zu values changed\n", n, t->n_decisions);
    if (n > 0)
        fprintf(out, "  %-*s %10s  %22s  %22s  %15s  %s\n", NAME_WIDTH, "value", "moved", "threshold", "scale",
                "SQNR dB", "method");
    for (size_t i = 0; i < t->n_decisions && printed < shown(n, rows); i++)
        if (is_changed(&t->decisions[i])) {
            print_decision(&t->decisions[i], out);
            printed++;
        }
    print_rest(n, rows, out);
}

static void print_gate(const struct compare_gate *gate, FILE *out)
{
    fprintf(out, "gate %s: ", gate->name);
    if (isinf(gate->found) && gate->where == NULL) {
        fputs("failed: target ", out);
        printable_print(gate->network, out);
        fputs(" is gone or failed\n", out);
        return;
    }
    if (isnan(gate->found))
        fprintf(out, "failed: there is nothing to compare");
    else
        fprintf(out, "%s: %.6g, limit %.6g", gate->has_failed ? "failed" : "passed", gate->found, gate->limit);
    if (gate->network != NULL || gate->where != NULL) {
        fputs(" (", out);
        if (gate->where != NULL)
            printable_print(gate->where, out);
        fputs(gate->where != NULL && gate->network != NULL ? " on " : "", out);
        if (gate->network != NULL)
            printable_print(gate->network, out);
        fputc(')', out);
    }
    fputc('\n', out);
}

void compare_print(const struct comparison *c, const struct compare_gate *gates, size_t n_gates, size_t rows, FILE *out)
{
    print_basis(c, out);
    print_metrics(c, out);
    print_statistics(c, rows, out);
    print_list("values lost", c->lost, c->n_lost, rows, out);
    print_list("values new", c->added, c->n_new, rows, out);
    for (size_t t = 0; t < c->n_targets; t++)
        print_target(&c->targets[t], rows, out);
    for (size_t i = 0; i < n_gates; i++) {
        if (i == 0)
            fputc('\n', out);
        print_gate(&gates[i], out);
    }
}
