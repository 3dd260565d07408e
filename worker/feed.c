/* feed.c — see feed.h. */
#include "worker/feed.h"

#include "common/clock.h"
#include "common/memory.h"
#include "worker/preprocess.h"

#include <stdlib.h>

struct feed {
    struct dataset_cursor *cursor;
    size_t n;
    size_t parts[DATASET_MAX_INPUTS];
    struct preprocessor *preprocessors[DATASET_MAX_INPUTS];
    struct image_wish wishes[DATASET_MAX_INPUTS];
    const struct class_map *classes[DATASET_MAX_INPUTS];
    struct shape shapes[DATASET_MAX_INPUTS];
    struct record record;
    struct feed_times times;
};

static int feed_init(struct feed *feed, struct dataset *dataset, const struct feed_input *inputs, size_t n,
                     struct error *err)
{
    for (; feed->n < n; feed->n++) {
        const struct feed_input *input = &inputs[feed->n];
        const char *name = dataset_input_name(dataset, input->part);

        feed->parts[feed->n] = input->part;
        feed->preprocessors[feed->n] = preprocessor_create(input->plan, &input->shape, err);
        if (feed->preprocessors[feed->n] == NULL)
            return name == NULL ? -1 : error_in(err, "input \"%s\"", name);
        feed->wishes[feed->n] = *preprocessor_wish(feed->preprocessors[feed->n]);
        feed->wishes[feed->n].is_index = input->classes != NULL;
        feed->classes[feed->n] = input->classes;
        feed->shapes[feed->n] = input->shape;
    }
    feed->cursor = dataset_cursor_open(dataset, err);
    return feed->cursor == NULL ? -1 : 0;
}

struct feed *feed_create(struct dataset *dataset, const struct feed_input *inputs, size_t n, struct error *err)
{
    struct feed *feed = NULL;

    if (n == 0 || n > DATASET_MAX_INPUTS)
        error_set(err, EX_CONFIG, "expected 1 to %d inputs, found %zu", DATASET_MAX_INPUTS, n);
    else
        feed = memory_create(1, sizeof *feed, "a feed", err);
    if (feed == NULL || feed_init(feed, dataset, inputs, n, err) == 0)
        return feed;
    feed_destroy(feed);
    return NULL;
}

void feed_destroy(struct feed *feed)
{
    if (feed == NULL)
        return;
    for (size_t i = 0; i < feed->n; i++)
        preprocessor_destroy(feed->preprocessors[i]);
    dataset_cursor_close(feed->cursor);
    record_fini(&feed->record);
    free(feed);
}

struct feed_times feed_times(const struct feed *feed)
{
    return feed->times;
}

/* A label picture's numbers become classes. */
static int find_classes(const struct feed *feed, size_t input, float *row, struct error *err)
{
    const struct shape *shape = &feed->shapes[input];

    if (feed->classes[input] == NULL || class_map_apply(feed->classes[input], row, (size_t)shape_elements(shape),
                                                        (size_t)shape->dims[shape->rank - 1], err) == 0)
        return 0;
    return error_in(err, "%s", feed->record.key);
}

/* One input's share of a record. */
static int read_input(struct feed *feed, size_t input, uint64_t ordinal, float *row, struct error *err)
{
    double began = clock_seconds(), between;
    int rc;

    feed->record.wish = &feed->wishes[input];
    rc = dataset_read_input(feed->cursor, feed->parts[input], ordinal, &feed->record, err);
    between = clock_seconds();
    feed->times.decode += feed->record.decode_seconds;
    feed->times.read += between - began - feed->record.decode_seconds;
    if (rc == 0)
        rc = preprocess(feed->preprocessors[input], &feed->record, row, err);
    if (rc == 0)
        rc = find_classes(feed, input, row, err);
    feed->times.preprocess += clock_seconds() - between;
    return rc;
}

int feed_read(struct feed *feed, uint64_t ordinal, float *const *rows, int64_t *label, struct record_identity *identity,
              struct error *err)
{
    struct record_identity parts[DATASET_MAX_INPUTS] = {{0}};
    int64_t first = -1;
    int rc = 0;

    feed->times.records++;
    for (size_t i = 0; i < feed->n; i++) { /* of a bad record all inputs are looked at, for its identity */
        struct error why = {0};

        if (read_input(feed, i, ordinal, rows[i], &why) < 0) {
            if (rc == 0 || why.code != EX_DATAERR)
                rc = error_set(err, why.code, "%s", why.text);
            if (why.code != EX_DATAERR)
                return -1;
        }
        if (first < 0)
            first = feed->record.label;
        parts[feed->parts[i]] = record_identify(&feed->record);
    }
    *label = first;
    *identity = record_identity_join(parts, feed->n);
    return rc;
}
