/* show_dataset.c — see show_dataset.h. */
#include "jobs/show_dataset.h"

#include "common/memory.h"
#include "common/printable.h"
#include "formats/json_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* MAX_CHANNELS: of a mean for each; beyond that a channel is no colour. */
enum { SHOWN_RECORDS = 5, SAMPLE_RECORDS = 64, MAX_CHANNELS = 4 };

struct span { /* of whole numbers; low > high: there are none */
    int64_t low, high;
};

struct sample {
    uint64_t n, n_bad, n_floats, n_unlabelled;
    struct error first_bad;
    struct span channels, height, width, label;
    enum pixel_order order;
    float min, max;
    double elements[MAX_CHANNELS], sums[MAX_CHANNELS], squares[MAX_CHANNELS]; /* records of more channels: none */
};

static const char *const order_names[] = {
    [PIXELS_NONE] = "none", [PIXELS_GRAY] = "gray", [PIXELS_RGB] = "rgb", [PIXELS_BGR] = "bgr"};

/* ---- looking ---- */

static void extend(struct span *span, int64_t x)
{
    span->low = x < span->low ? x : span->low;
    span->high = x > span->high ? x : span->high;
}

static void count_pixels(struct sample *s, const struct record *r)
{
    size_t plane = r->height * r->width, n = r->channels * plane;

    for (size_t i = 0; i < n; i++) {
        float x = r->is_float ? r->values[i] : r->bytes[i];
        size_t channel = r->is_planar ? i / plane : i % r->channels;

        s->min = x < s->min ? x : s->min;
        s->max = x > s->max ? x : s->max;
        if (r->channels <= MAX_CHANNELS) {
            s->elements[channel]++;
            s->sums[channel] += (double)x;
            s->squares[channel] += (double)x * (double)x;
        }
    }
}

static void count(struct sample *s, const struct record *r)
{
    s->n++;
    s->n_floats += r->is_float;
    s->n_unlabelled += r->label < 0;
    if (r->label >= 0)
        extend(&s->label, r->label);
    extend(&s->channels, (int64_t)r->channels);
    extend(&s->height, (int64_t)r->height);
    extend(&s->width, (int64_t)r->width);
    s->order = r->order;
    count_pixels(s, r);
}

static int look(struct dataset *dataset, struct dataset_cursor *cursor, struct record *record, struct sample *s,
                struct error *err)
{
    const struct span none = {INT64_MAX, INT64_MIN};
    uint64_t all = dataset_count(dataset), n = all < SAMPLE_RECORDS ? all : SAMPLE_RECORDS;

    *s = (struct sample){.channels = none, .height = none, .width = none, .label = none};
    s->min = INFINITY;
    s->max = -INFINITY;
    for (uint64_t i = 0; i < n; i++) {
        struct error bad = {0};
        int rc = dataset_read(cursor, all / n * i + all % n * i / n, record, &bad);

        if (rc == 0)
            count(s, record);
        else if (bad.code != EX_DATAERR)
            return *err = bad, -1;
        else if (s->n_bad++ == 0)
            s->first_bad = bad;
    }
    if (s->n == 0)
        return *err = s->first_bad, -1;
    return 0;
}

static double mean(const struct sample *s, size_t channel)
{
    return s->sums[channel] / s->elements[channel];
}

static double deviation(const struct sample *s, size_t channel)
{
    double m = mean(s, channel), square = s->squares[channel] / s->elements[channel] - m * m;

    return sqrt(square > 0 ? square : 0);
}

static size_t n_channels(const struct sample *s)
{
    return s->channels.low == s->channels.high && s->channels.high <= MAX_CHANNELS ? (size_t)s->channels.high : 0;
}

/* ---- for people ---- */

static void print_record(const struct record *r, FILE *out)
{
    fprintf(out, "  ");
    printable_print(r->key, out);
    fprintf(out, ": label %" PRId64 ", %zu x %zu x %zu %s\n", r->label, r->channels, r->height, r->width,
            r->is_float ? "floats" : "bytes");
}

static void print_span(const char *before, struct span span, FILE *out)
{
    fprintf(out, "%s%" PRId64, before, span.low);
    if (span.high > span.low)
        fprintf(out, " to %" PRId64, span.high);
}

static void print_sample(const struct sample *s, FILE *out)
{
    fprintf(out, "of %" PRIu64 " records, evenly spaced:\n", s->n + s->n_bad);
    if (s->n_bad > 0) {
        fprintf(out, "  bad: %" PRIu64 ", such as ", s->n_bad);
        printable_print(s->first_bad.text, out);
        fputc('\n', out);
    }
    print_span("  sizes: ", s->channels, out);
    print_span(" x ", s->height, out);
    print_span(" x ", s->width, out);
    fprintf(out, ", %" PRIu64 " of bytes, %" PRIu64 " of floats\n", s->n - s->n_floats, s->n_floats);
    if (s->n_unlabelled < s->n)
        print_span("  labels: ", s->label, out);
    else
        fprintf(out, "  labels: none");
    fprintf(out, ", %" PRIu64 " without\n  values: %g to %g", s->n_unlabelled, (double)s->min, (double)s->max);
    for (size_t c = 0; c < n_channels(s); c++)
        fprintf(out, "%s %.4g", c == 0 ? "; mean" : "", mean(s, c));
    for (size_t c = 0; c < n_channels(s); c++)
        fprintf(out, "%s %.4g", c == 0 ? ", deviation" : "", deviation(s, c));
    fprintf(out, s->order == PIXELS_NONE ? "\n" : " (%s)\n", order_names[s->order]);
}

/* ---- JSON ---- */

static json_t *record_object(const struct record *r)
{
    return json_pack("{s:o, s:I, s:[I, I, I], s:s}", "key", json_text(r->key), "label", (json_int_t)r->label, "shape",
                     (json_int_t)r->channels, (json_int_t)r->height, (json_int_t)r->width, "type",
                     r->is_float ? "float32" : "uint8");
}

static json_t *span_list(struct span span)
{
    return span.low > span.high ? json_null() : json_pack("[I, I]", (json_int_t)span.low, (json_int_t)span.high);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *by_channel(const struct sample *s, double (*what)(const struct sample *s, size_t channel))
{
    json_t *list = json_array();

    for (size_t c = 0; c < n_channels(s); c++)
        json_append(&list, number(what(s, c)));
    return list;
}

static json_t *sample_object(const struct sample *s)
{
    return json_pack("{s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o}", "records",
                     (json_int_t)(s->n + s->n_bad), "bad", (json_int_t)s->n_bad, "first_bad",
                     s->n_bad == 0 ? json_null() : json_text(s->first_bad.text), "floats", (json_int_t)s->n_floats,
                     "channels", span_list(s->channels), "height", span_list(s->height), "width", span_list(s->width),
                     "labels", span_list(s->label), "without_label", (json_int_t)s->n_unlabelled, "order",
                     order_names[s->order], "min", number((double)s->min), "max", number((double)s->max), "mean",
                     by_channel(s, mean), "deviation", by_channel(s, deviation));
}

/* ---- both ---- */

/* The first few records, printed or put into *list. */
static int show_first(struct dataset *dataset, struct dataset_cursor *cursor, struct record *record, json_t **list,
                      FILE *out, struct error *err)
{
    for (uint64_t i = 0; i < dataset_count(dataset) && i < SHOWN_RECORDS; i++) {
        struct error bad = {0};

        if (dataset_read(cursor, i, record, &bad) == 0) {
            if (list != NULL)
                json_append(list, record_object(record));
            else
                print_record(record, out);
        } else if (bad.code != EX_DATAERR) {
            return *err = bad, -1;
        }
    }
    return 0;
}

static int show(const char *kind, struct dataset *dataset, struct dataset_cursor *cursor, struct record *record,
                bool as_json, FILE *out, struct error *err)
{
    json_t *first = as_json ? json_array() : NULL;
    struct sample sample;

    if (look(dataset, cursor, record, &sample, err) != 0)
        return json_decref(first), -1;
    if (!as_json)
        fprintf(out, "dataset of kind %s: %" PRIu64 " records\n", kind, dataset_count(dataset));
    if (show_first(dataset, cursor, record, as_json ? &first : NULL, out, err) != 0)
        return json_decref(first), -1;
    if (as_json)
        return json_print(json_pack("{s:s, s:s, s:I, s:o, s:o}", "kind", "dataset", "format", kind, "records",
                                    (json_int_t)dataset_count(dataset), "first", first, "sample",
                                    sample_object(&sample)),
                          out, err);
    print_sample(&sample, out);
    return 0;
}

int show_dataset(const struct dataset_request *request, bool as_json, FILE *out, struct error *err)
{
    struct dataset *dataset = dataset_open(request, err);
    struct dataset_cursor *cursor = dataset == NULL ? NULL : dataset_cursor_open(dataset, err);
    struct record record = {0};
    int rc = cursor == NULL ? -1 : show(request->kind, dataset, cursor, &record, as_json, out, err);

    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    return rc;
}
