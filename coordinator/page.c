/* page.c — see page.h. The look and the script are files in page/; here they meet the data. */
#include "coordinator/page.h"

#include "common/memory.h"
#include "common/printed.h"
#include "coordinator/compare_methods.h"
#include "coordinator/run.h"
#include "formats/json_text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t page_html[] = {
#include "page/page.html.inc"
};
static const uint8_t page_css[] = {
#include "page/page.css.inc"
};
static const uint8_t plot_js[] = {
#include "page/plot.js.inc"
};
static const uint8_t page_js[] = {
#include "page/page.js.inc"
};

enum { SHOWN_BINS = 256 };

/* ---- data ---- */

/* Counts of `width` bins added up; zeros at the end are left out. */
static json_t *shown_counts(const uint64_t *counts, size_t bins, size_t width)
{
    json_t *list = json_array();
    size_t end = counts == NULL ? 0 : bins;

    while (end > 0 && counts[end - 1] == 0)
        end--;
    for (size_t i = 0; i < end; i += width) {
        uint64_t sum = 0;

        for (size_t k = i; k < i + width; k++)
            sum += counts[k];
        json_append(&list, json_integer((json_int_t)sum));
    }
    return list;
}

static json_t *number_or_null(float x)
{
    return isfinite(x) ? json_real((double)x) : json_null();
}

static json_t *shown_value(const struct page_value *value, const float *thresholds, size_t n_methods)
{
    const struct histogram *h = value->histogram;
    size_t width = h->bins > SHOWN_BINS ? h->bins / SHOWN_BINS : 1;
    json_t *found = json_array();
    int exponent = h->exponent;

    for (size_t i = 0; i < n_methods; i++)
        json_append(&found, thresholds[i] > 0 ? json_real((double)thresholds[i]) : json_null());
    for (size_t w = width; w > 1; w /= 2)
        exponent++;
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:i, s:o, s:o, s:o}", "name", json_text(value->name), "n",
                     (json_int_t)h->n, "zeros", (json_int_t)h->zeros, "nans", (json_int_t)h->nans, "infs",
                     (json_int_t)(h->positive_infs + h->negative_infs), "min", number_or_null(h->min), "max",
                     number_or_null(h->max), "exponent", exponent, "positive",
                     shown_counts(h->positive, h->bins, width), "negative", shown_counts(h->negative, h->bins, width),
                     "thresholds", found);
}

static json_t *shown_values(const struct page *page)
{
    size_t n = page->thresholds == NULL ? 0 : compared_methods(NULL);
    json_t *list = json_array();

    for (size_t i = 0; i < page->n_values; i++)
        json_append(&list, shown_value(&page->values[i], page->thresholds + i * n, n));
    return list;
}

static json_t *method_names(const struct page *page)
{
    json_t *list = json_array();

    for (size_t i = 0; page->thresholds != NULL && threshold_methods[i] != NULL; i++)
        if (compared_method(threshold_methods[i]))
            json_append(&list, json_string(threshold_methods[i]->name));
    return list;
}

/* The text of a file as JSON; null for no text. */
static json_t *parse(const char *text, const char *name, struct error *err)
{
    json_error_t why;
    json_t *root = text == NULL ? json_null() : json_loads(text, 0, &why);

    if (root == NULL)
        error_set(err, EX_DATAERR, "%s: line %d: no JSON: %s", name, why.line, why.text);
    return root;
}

static json_t *parse_report(const char *text, struct error *err)
{
    json_t *report = parse(text, "report.json", err);

    if (report == NULL || json_is_object(json_object_get(report, "targets")))
        return report;
    json_decref(report);
    error_set(err, EX_DATAERR, "report.json: no report of etalon: expected an object with \"targets\"");
    return NULL;
}

static char *json_of(const struct page *page, struct error *err)
{
    json_t *report = parse_report(page->report, err);
    json_t *run = report == NULL ? NULL : parse(page->run, "run.json", err), *root;
    char *text = NULL;

    if (run == NULL) {
        json_decref(report);
        return NULL;
    }
    root = json_pack("{s:s, s:o, s:o, s:o, s:o}", "version", ETALON_VERSION, "report", report, "run", run, "methods",
                     method_names(page), "values", shown_values(page));
    if (root == NULL || (text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9))) == NULL)
        error_set(err, EX_OSERR, "no memory for report.html");
    json_decref(root);
    return text;
}

/* JSON as it may stand inside a script element: nothing in a name of the model can end it. */
static void print_json(const char *text, FILE *out)
{
    for (; *text != 0; text++)
        if (*text == '<')
            fputs("\\u003c", out);
        else
            fputc(*text, out);
}

/* ---- the file ---- */

/* What stands for "@css@" and the like in page.html. */
static const struct part {
    const char *mark;
    const uint8_t *text;
    size_t size;
} parts[] = {{"@css@", page_css, sizeof page_css},
             {"@plot@", plot_js, sizeof plot_js},
             {"@page@", page_js, sizeof page_js},
             {"@data@", NULL, 0}};

static const struct part *part_at(size_t place)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = strlen(parts[i].mark);

        if (length <= sizeof page_html - place && memcmp(page_html + place, parts[i].mark, length) == 0)
            return &parts[i];
    }
    return NULL;
}

static void print_page(const char *data, FILE *out)
{
    for (size_t place = 0; place < sizeof page_html;) {
        const struct part *part = part_at(place);

        if (part == NULL) {
            fputc(page_html[place++], out);
            continue;
        }
        if (part->text == NULL)
            print_json(data, out);
        else
            fwrite(part->text, 1, part->size, out);
        place += strlen(part->mark);
    }
}

char *page_text(const struct page *page, size_t *size, struct error *err)
{
    char *data = json_of(page, err), *text = NULL;
    struct printed printed;

    if (data != NULL && printed_begin(&printed, "report.html", err) == 0) {
        print_page(data, printed.out);
        text = printed_end(&printed, size, err);
    }
    free(data);
    return text;
}

int page_compare(const struct comm *comm, struct page *page, double percentile, struct error *err)
{
    const struct histogram **histograms = memory_create(page->n_values, sizeof *histograms, "report.html", err);
    int rc = comm_agree(comm, histograms == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < page->n_values; i++)
        histograms[i] = page->values[i].histogram;
    if (rc == 0)
        rc = compare_methods(comm, histograms, page->n_values, percentile, &page->thresholds, err);
    free(histograms);
    return rc;
}

const char *page_style(size_t *size)
{
    *size = sizeof page_css;
    return (const char *)page_css;
}

int page_write(const struct page *page, struct output *output, struct error *err)
{
    size_t size;
    char *text = page_text(page, &size, err);
    int rc = text == NULL ? -1 : output_write(output, "report.html", text, size, false, err);

    free(text);
    return rc;
}

void page_fini(struct page *page)
{
    free(page->values);
    free(page->thresholds);
    *page = (struct page){0};
}
