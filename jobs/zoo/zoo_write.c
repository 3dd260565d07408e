/* zoo_write.c — a night for people, for dashboards and for those who keep accounts; see zoo.h. */
#include "jobs/zoo/zoo.h"

#include "common/printed.h"
#include "coordinator/page.h"
#include "formats/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static bool is(const json_t *job, const char *status)
{
    return strcmp(text_of(job, "status"), status) == 0;
}

/* The accuracy that a job names first, and its difference from fp32; NaN without labels. */
static double accuracy_of(const json_t *fp32, const json_t *target, double *change)
{
    const char *key = json_object_iter_key(json_object_iter((json_t *)fp32));
    double accuracy = key == NULL ? NAN : json_number_at(target, key);

    *change = key == NULL ? NAN : accuracy - json_number_at(fp32, key);
    return accuracy;
}

static void print_number(double x, const char *format, int width, FILE *out)
{
    char text[32] = "-";

    if (isfinite(x))
        snprintf(text, sizeof text, format, x);
    fprintf(out, "  %*s", width, text);
}

/* ---- the terminal ---- */

static bool is_worth_a_line(const json_t *job, const json_t *target)
{
    return is(job, "calibrated") || json_array_size(json_object_get(target, "gates")) > 0 ||
           json_object_get(target, "error") != NULL;
}

static void print_target(const char *job_name, const json_t *fp32, const char *name, const json_t *target, FILE *out)
{
    const json_t *since = json_object_get(target, "since_accepted");
    double change, accuracy = accuracy_of(fp32, target, &change);
    json_t *gate;
    size_t i;

    fprintf(out, "%-32s %-18s", job_name, name);
    if (json_object_get(target, "error") != NULL) {
        fprintf(out, "  %s\n", text_of(target, "error"));
        return;
    }
    print_number(accuracy, "%.2f", 8, out);
    print_number(change, "%+.2f", 7, out);
    print_number(json_number_at(target, "agreement"), "%.2f", 9, out);
    print_number(json_number_at(target, "sqnr_db"), "%.2f", 7, out);
    print_number(json_number_at(since, "accuracy"), "%+.2f", 14, out);
    fputc('\n', out);
    json_array_foreach(json_object_get(target, "gates"), i, gate)
        fprintf(out, "%-32s %-18s  GATE: %s\n", job_name, name, json_string_value(gate));
    json_array_foreach(json_object_get(target, "not_judged"), i, gate) fprintf(
        out, "%-32s %-18s  gate %s is not judged: there is no figure\n", job_name, name, json_string_value(gate));
}

/* "2 calibrated, 58 unchanged, 0 failed; 1 gate failed" */
static void print_sum(const struct zoo_night *night, FILE *out)
{
    fprintf(out, "%zu calibrated, %zu unchanged, %zu failed; %zu gate%s failed", night->n_run, night->n_same,
            night->n_failed, night->n_gates, night->n_gates == 1 ? "" : "s");
    if (night->n_unjudged > 0)
        fprintf(out, ", %zu not judged", night->n_unjudged);
}

void zoo_print(const struct zoo_night *night, FILE *out)
{
    const char *name, *target_name;
    json_t *job, *target;
    bool has_head = false;

    json_object_foreach(json_object_get(night->root, "jobs"), name, job)
    {
        if (is(job, "failed"))
            fprintf(out, "%-32s FAILED: %s\n", name, text_of(job, "error"));
        json_object_foreach(json_object_get(job, "targets"), target_name, target)
        {
            if (!is_worth_a_line(job, target))
                continue;
            if (!has_head)
                fprintf(out, "%-32s %-18s  %8s  %7s  %9s  %7s  %14s\n", "job", "target", "accuracy", "change",
                        "agreement", "SQNR dB", "since accepted");
            has_head = true;
            print_target(name, json_object_get(job, "fp32"), target_name, target, out);
        }
    }
    print_sum(night, out);
    fputc('\n', out);
}

/* ---- markup ---- */

static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* <name a="..." a="..."> */
static void open_tag(FILE *out, const char *name, const char *attribute, const char *value)
{
    fprintf(out, "<%s", name);
    if (attribute != NULL) {
        fprintf(out, " %s=\"", attribute);
        print_escaped(value, out);
        fputc('"', out);
    }
    fputc('>', out);
}

static void print_cell(FILE *out, const char *class, const char *text)
{
    open_tag(out, "td", class == NULL ? NULL : "class", class);
    print_escaped(text, out);
    fputs("</td>", out);
}

static void print_number_cell(FILE *out, double x, const char *format)
{
    char text[32] = "\xe2\x80\x93"; /* a dash */

    if (isfinite(x))
        snprintf(text, sizeof text, format, x);
    print_cell(out, NULL, text);
}

/* The job's name, once a job, leading to its report. */
static void print_job_cell(FILE *out, const char *name, const json_t *job, size_t n_rows)
{
    char link[1100];

    fprintf(out, "<td class=\"text\" rowspan=\"%zu\">", n_rows);
    if (json_object_get(job, "targets") != NULL) {
        snprintf(link, sizeof link, "%s/report.html", name);
        open_tag(out, "a", "href", link);
        print_escaped(name, out);
        fputs("</a>", out);
    } else {
        print_escaped(name, out);
    }
    fprintf(out, "<br><small>%s</small></td>", text_of(job, "status"));
}

static void print_target_cells(FILE *out, const json_t *fp32, const char *name, const json_t *target)
{
    const json_t *since = json_object_get(target, "since_accepted");
    double change, accuracy = accuracy_of(fp32, target, &change);
    json_t *gate;
    size_t i;

    print_cell(out, "text", name);
    if (json_object_get(target, "error") != NULL) {
        fputs("<td class=\"text sentence bad\" colspan=\"8\">", out);
        print_escaped(text_of(target, "error"), out);
        fputs("</td>", out);
        return;
    }
    print_number_cell(out, accuracy, "%.2f");
    print_number_cell(out, change, "%+.2f");
    print_number_cell(out, json_number_at(target, "agreement"), "%.2f");
    print_number_cell(out, json_number_at(target, "sqnr_db"), "%.1f");
    print_number_cell(out, json_number_at(since, "accuracy"), "%+.2f");
    print_number_cell(out, json_number_at(since, "sqnr_db"), "%+.1f");
    print_number_cell(out, json_number_at(since, "threshold_movement"), "%.3f");
    fputs("<td class=\"text sentence bad\">", out);
    json_array_foreach(json_object_get(target, "gates"), i, gate)
    {
        if (i > 0)
            fputs("<br>", out);
        print_escaped(json_string_value(gate), out);
    }
    fputs("</td>", out);
}

static void print_job_rows(FILE *out, const char *name, const json_t *job)
{
    json_t *all = json_object_get(job, "targets"), *target;
    const char *target_name;
    bool has_own_row = is(job, "failed") || json_object_size(all) == 0, is_first = !has_own_row;

    if (has_own_row) {
        fputs("<tr>", out);
        print_job_cell(out, name, job, 1 + json_object_size(all));
        fputs("<td class=\"text sentence bad\" colspan=\"9\">", out);
        print_escaped(text_of(job, "error"), out);
        fputs("</td></tr>\n", out);
    }
    json_object_foreach(all, target_name, target)
    {
        fputs("<tr>", out);
        if (is_first)
            print_job_cell(out, name, job, json_object_size(all));
        is_first = false;
        print_target_cells(out, json_object_get(job, "fp32"), target_name, target);
        fputs("</tr>\n", out);
    }
}

static void print_index(const struct zoo_night *night, FILE *out)
{
    static const char *const heads[] = {"accuracy %",        "change",        "agreement %", "SQNR dB",
                                        "\xce\x94 accuracy", "\xce\x94 SQNR", "moved"};
    size_t size;
    const char *style = page_style(&size), *name;
    json_t *job;

    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<title>Etalon zoo</title>\n<style>",
          out);
    fwrite(style, 1, size, out);
    fputs("tbody td.text:first-child { padding-left: 0.6rem; } tbody td[rowspan] { padding-left: 0 !important; }", out);
    fprintf(out,
            "</style>\n</head>\n<body>\n<header><h1>Zoo</h1>\n<p class=\"soft\">%s: ", text_of(night->root, "date"));
    print_sum(night, out);
    fputs("</p></header>\n<main>\n<p class=\"soft\">Change: from fp32. \xce\x94 and moved: from the accepted night; "
          "moved is the largest "
          "relative change of a threshold.</p>\n<div class=\"wide\"><table><thead><tr><th class=\"text\">job</th>"
          "<th class=\"text\">target</th>",
          out);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        fprintf(out, "<th>%s</th>", heads[i]);
    fputs("<th class=\"text\">gates that fail</th></tr></thead>\n<tbody>\n", out);
    json_object_foreach(json_object_get(night->root, "jobs"), name, job) print_job_rows(out, name, job);
    fputs("</tbody></table></div>\n</main>\n</body>\n</html>\n", out);
}

static bool has_own_case(const json_t *job)
{
    return is(job, "failed") || json_object_get(job, "targets") == NULL;
}

static void begin_case(const char *job_name, const char *name, FILE *out)
{
    fputs("<testcase classname=\"", out);
    print_escaped(job_name, out);
    fputs("\" name=\"", out);
    print_escaped(name, out);
    fputs("\">", out);
}

static void print_message(const char *element, const char *text, FILE *out)
{
    open_tag(out, element, "message", text);
    fprintf(out, "</%s>", element);
}

/* A case for each target of each job, and for each job that failed, in the form that build servers read (the schema of
 * Ant's junit task). */
static void print_junit(const struct zoo_night *night, FILE *out)
{
    const char *name, *target_name;
    json_t *job, *target, *gate;
    size_t i, n = 0;

    json_object_foreach(json_object_get(night->root, "jobs"), name, job) n +=
        json_object_size(json_object_get(job, "targets")) + has_own_case(job);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"zoo\" timestamp=\"%.19s\" tests=\"%zu\">\n",
            text_of(night->root, "date"), n);
    json_object_foreach(json_object_get(night->root, "jobs"), name, job)
    {
        if (has_own_case(job)) {
            begin_case(name, "calibrate", out);
            if (is(job, "failed"))
                print_message("error", text_of(job, "error"), out);
            else
                fputs("<skipped/>", out);
            fputs("</testcase>\n", out);
        }
        json_object_foreach(json_object_get(job, "targets"), target_name, target)
        {
            begin_case(name, target_name, out);
            if (json_object_get(target, "error") != NULL)
                print_message("error", text_of(target, "error"), out);
            json_array_foreach(json_object_get(target, "gates"), i, gate)
                print_message("failure", json_string_value(gate), out);
            fputs("</testcase>\n", out);
        }
    }
    fputs("</testsuite>\n", out);
}

static int write_printed(const struct zoo_night *night, void (*print)(const struct zoo_night *, FILE *),
                         const char *name, struct output *output, struct error *err)
{
    struct printed page;
    size_t size;
    char *text;
    int rc;

    if (printed_begin(&page, name, err) != 0)
        return -1;
    print(night, page.out);
    text = printed_end(&page, &size, err);
    rc = text == NULL ? -1 : output_write(output, name, text, size, false, err);
    free(text);
    return rc;
}

/* ---- files ---- */

int zoo_write(const struct zoo *zoo, const struct zoo_night *night, struct error *err)
{
    struct output *output = output_open(zoo->output, err);
    int rc = output == NULL ? -1 : write_printed(night, print_junit, "junit.xml", output, err);

    if (rc == 0)
        rc = write_printed(night, print_index, "index.html", output, err);
    if (rc == 0)
        rc = zoo_write_history(zoo, night, output, err);
    if (rc == 0) /* the last: what it tells of is told everywhere */
        rc = json_file_write(json_incref(night->root), output, NULL, "zoo.json", err);
    output_close(output);
    return rc;
}
