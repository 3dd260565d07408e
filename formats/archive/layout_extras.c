/* layout_extras.c — the group /extras: what was counted beside histograms, because a method asked for it. */
#include "formats/archive/layout.h"

enum { SUMS = 2 }; /* of a value's extrema: smallest, largest */

static const struct store_column kinds_column = STORE_COLUMN(STORE_U32, struct archive, extras, NULL);

static const struct store_column value_columns[] = {
    {"records", STORE_U64, offsetof(struct archive_value, extrema.records), sizeof(uint64_t), "records"},
    {"elements", STORE_U64, offsetof(struct archive_value, extrema.elements), sizeof(uint64_t), "elements"},
    STORE_COLUMN(STORE_U64, struct archive_value, n_top_two, "histograms"),
    STORE_COLUMN(STORE_U64, struct archive_value, n_squares, "channels"),
};

static void transfer_extrema(struct store *store, hid_t group, struct archive *archive)
{
    struct store_rows rows;

    store_rows_begin(store, group, "extrema", "2^(32 i - 640) real", SUMS * archive->n_values, EXACT_SUM_LIMBS, &rows);
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++) {
        struct archive_extrema *extrema = &archive->values[i].extrema;

        store_row(store, &rows, SUMS * i, (uint64_t *)extrema->smallest.limb);
        store_row(store, &rows, SUMS * i + 1, (uint64_t *)extrema->largest.limb);
    }
    store_rows_end(store, &rows);
}

/* Two histograms of equal bins, in a group named by the value's index. */
static void transfer_top_two(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    char name[24];

    snprintf(name, sizeof name, "%06zu", index);
    if (value->n_top_two == 2)
        value->top_two = archive_transfer_histograms(store, parent, name, value->top_two, 2);
    else
        store_fail(store, EX_DATAERR, "group /extras/top_two/%s: expected 2 histograms, found %llu", name,
                   (unsigned long long)value->n_top_two);
}

/* A row of limbs a channel, as of /sums. */
static void transfer_squares(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    struct store_rows rows;
    char name[24];

    snprintf(name, sizeof name, "%06zu", index);
    store_rows_begin(store, parent, name, "2^(32 i - 640) real^2", value->n_squares, EXACT_SUM_LIMBS, &rows);
    if (store->is_reading)
        value->squares = store_allocate(store, value->n_squares, sizeof *value->squares, "squares of channels");
    for (size_t c = 0; c < value->n_squares && !store->has_failed; c++)
        store_row(store, &rows, c, (uint64_t *)value->squares[c].limb);
    store_rows_end(store, &rows);
}

void archive_transfer_extras(struct store *store, struct archive *archive)
{
    hid_t group, part;

    if (store->is_reading ? !store_has(store, store->file, "extras") : archive->extras == 0)
        return;
    group = store_enter(store, store->file, "extras");
    store_attribute(store, group, &kinds_column, archive, true);
    if (store_count(store, group, "records", archive->n_values) != archive->n_values)
        store_fail(store, EX_DATAERR, "group /extras: expected statistics of %zu values", archive->n_values);
    store_columns(store, group, value_columns, sizeof value_columns / sizeof *value_columns, archive->values,
                  sizeof *archive->values, archive->n_values);
    transfer_extrema(store, group, archive);
    part = store_enter(store, group, "top_two");
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++)
        if (archive->values[i].n_top_two > 0)
            transfer_top_two(store, part, i, &archive->values[i]);
    store_leave(store, part);
    part = store_enter(store, group, "squares");
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++)
        if (archive->values[i].n_squares > 0)
            transfer_squares(store, part, i, &archive->values[i]);
    store_leave(store, part);
    store_leave(store, group);
}
