/* dataset_match.c — which records of several inputs belong together: those whose names are equal.
 *
 * A record's name is its key without the extension, so that "a/7.png" meets "a/7.npy". Names are sorted once per input
 * and then walked side by side: n log n comparisons, and the memory of the names while that lasts.
 */
#define _GNU_SOURCE /* qsort_r */
#include "formats/dataset_private.h"

#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct name {
    size_t text; /* offset into `texts` */
    uint64_t ordinal;
};

struct names {
    char *texts; /* each with its NUL */
    size_t size, capacity;
    struct name *sorted; /* [n] */
    uint64_t n;
};

/* Cuts the extension: from the last dot behind the last slash; a dot in front is part of the name. */
static size_t stem_length(const char *key)
{
    const char *slash = strrchr(key, '/'), *name = slash == NULL ? key : slash + 1, *dot = strrchr(name, '.');

    return dot == NULL || dot == name ? strlen(key) : (size_t)(dot - key);
}

static int read_key(const struct dataset_part *part, void *position, uint64_t ordinal, struct record *record,
                    struct error *err)
{
    struct error why = {0};

    if (part->kind->read_key != NULL)
        return part->kind->read_key(part->state, position, ordinal, record->key, err);
    if (part->kind->read(part->state, position, ordinal, record, &why) == 0 || why.code == EX_DATAERR)
        return 0; /* a bad record has a key, too */
    return error_set(err, why.code, "%s", why.text);
}

static int collect(struct names *names, const struct dataset_part *part, void *position, struct error *err)
{
    struct record record = {0};
    int rc = 0;

    names->sorted = memory_create(part->n_records, sizeof *names->sorted, "names of records", err);
    if (names->sorted == NULL)
        return -1;
    for (; rc == 0 && names->n < part->n_records; names->n++) {
        size_t length;

        record.key[0] = '\0';
        rc = read_key(part, position, names->n, &record, err);
        length = rc == 0 ? stem_length(record.key) : 0;
        if (rc == 0)
            rc =
                memory_grow((void **)&names->texts, &names->capacity, names->size + length, 1, "names of records", err);
        if (rc < 0)
            break;
        memcpy(names->texts + names->size, record.key, length);
        names->texts[names->size + length] = '\0';
        names->sorted[names->n] = (struct name){names->size, names->n};
        names->size += length + 1;
    }
    record_fini(&record);
    return rc;
}

static const char *text_of(const struct names *names, uint64_t i)
{
    return names->texts + names->sorted[i].text;
}

static int compare_names(const void *a, const void *b, void *texts)
{
    const struct name *x = a, *y = b;

    return strcmp((const char *)texts + x->text, (const char *)texts + y->text);
}

static void names_fini(struct names *names)
{
    free(names->texts);
    free(names->sorted);
}

/* Sorted, each once. */
static int names_of(struct names *names, const struct dataset_part *part, struct error *err)
{
    void *position = NULL;
    int rc = part->kind->cursor_open == NULL ? 0 : part->kind->cursor_open(part->state, &position, err);

    if (rc == 0)
        rc = collect(names, part, position, err);
    if (position != NULL)
        part->kind->cursor_close(position);
    if (rc == 0)
        qsort_r(names->sorted, names->n, sizeof *names->sorted, compare_names, names->texts);
    for (uint64_t i = 1; rc == 0 && i < names->n; i++)
        if (strcmp(text_of(names, i - 1), text_of(names, i)) == 0)
            rc = error_set(err, EX_DATAERR, "two records are named \"%s\", which decides what belongs together",
                           text_of(names, i));
    return rc == 0 ? 0 : error_in(err, "input \"%s\"", part->name);
}

/* Walks both sorted lists; counts what only `a` (out[0]) and only `b` (out[1]) has, with the first of each in `first`,
 * and notes in ordinals[record of a] which record of b has its name. */
static void walk(const struct names *a, const struct names *b, uint64_t *ordinals, uint64_t n_only[2],
                 const char *first[2])
{
    uint64_t i = 0, j = 0;

    while (i < a->n || j < b->n) {
        int order = i == a->n ? 1 : j == b->n ? -1 : strcmp(text_of(a, i), text_of(b, j));

        if (order == 0) {
            ordinals[a->sorted[i++].ordinal] = b->sorted[j++].ordinal;
            continue;
        }
        if (n_only[order > 0]++ == 0)
            first[order > 0] = order < 0 ? text_of(a, i) : text_of(b, j);
        i += order < 0;
        j += order > 0;
    }
}

static int match(const struct dataset_part *a, const struct names *names, struct dataset_part *b, struct error *err)
{
    struct names others = {0};
    uint64_t n_only[2] = {0, 0};
    const char *first[2] = {NULL, NULL};
    int rc = names_of(&others, b, err);

    if (rc == 0 && (b->ordinals = memory_create(a->n_records, sizeof *b->ordinals, "matched records", err)) == NULL)
        rc = -1;
    if (rc == 0) {
        size_t side;

        walk(names, &others, b->ordinals, n_only, first);
        side = n_only[0] == 0;
        if (n_only[side] > 0)
            rc = error_set(err, EX_DATAERR,
                           "input \"%s\" has a record named \"%s\", input \"%s\" has not (%" PRIu64 " and %" PRIu64
                           " records without a partner)",
                           side == 0 ? a->name : b->name, first[side], side == 0 ? b->name : a->name, n_only[side],
                           n_only[1 - side]);
    }
    names_fini(&others);
    return rc;
}

int dataset_match(struct dataset *dataset, struct error *err)
{
    struct names names = {0};
    int rc = dataset->n_parts > 1 ? names_of(&names, &dataset->parts[0], err) : 0;

    for (size_t i = 1; rc == 0 && i < dataset->n_parts; i++)
        rc = match(&dataset->parts[0], &names, &dataset->parts[i], err);
    names_fini(&names);
    return rc;
}
