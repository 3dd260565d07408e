/* record.c — record buffers and the table of record kinds; see record.h. */
#include "formats/record.h"

#include "common/memory.h"
#include "common/suggest.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_KIND(id) extern const struct record_kind record_kind_##id;
#include "record_kinds.def"
#undef RECORD_KIND

const struct record_kind *const record_kinds[] = {
#define RECORD_KIND(id) &record_kind_##id,
#include "record_kinds.def"
#undef RECORD_KIND
    NULL,
};

void record_fini(struct record *record)
{
    free(record->byte_buffer);
    free(record->value_buffer);
    *record = (struct record){0};
}

/* Exactly what is needed: doubling would take images near the budget beyond it. The old content is of no use. */
static int make_room(void **array, size_t *capacity, size_t elements, size_t size, struct error *err)
{
    size_t bytes;

    if (elements <= *capacity)
        return 0;
    free(*array);
    *capacity = 0;
    *array = size_multiply(elements, size, &bytes) ? malloc(bytes) : NULL;
    if (*array == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu x %zu bytes for a record", elements, size);
    *capacity = elements;
    return 0;
}

static int set_dims(struct record *record, size_t channels, size_t height, size_t width, struct error *err)
{
    size_t pixels, elements;

    if (channels == 0 || height == 0 || width == 0)
        return error_set(err, EX_DATAERR, "%zux%zux%zu holds no pixel", channels, height, width);
    if (!size_multiply(height, width, &pixels) || pixels > RECORD_MAX_PIXELS ||
        !size_multiply(pixels, channels, &elements) || elements > RECORD_MAX_ELEMENTS)
        return error_set(err, EX_DATAERR, "%zux%zux%zu is larger than the limit of %d pixels, %d values", channels,
                         height, width, RECORD_MAX_PIXELS, RECORD_MAX_ELEMENTS);
    record->channels = channels;
    record->height = height;
    record->width = width;
    return 0;
}

int record_reserve(struct record *record, size_t channels, size_t height, size_t width, bool is_float,
                   struct error *err)
{
    size_t elements;

    if (set_dims(record, channels, height, width, err) < 0)
        return -1;
    elements = channels * height * width;
    if ((is_float ? make_room((void **)&record->value_buffer, &record->values_capacity, elements, sizeof(float), err)
                  : make_room((void **)&record->byte_buffer, &record->bytes_capacity, elements, 1, err)) < 0)
        return -1;
    record->is_float = is_float;
    record->bytes = record->byte_buffer;
    record->values = record->value_buffer;
    return 0;
}

int record_lend(struct record *record, size_t channels, size_t height, size_t width, const uint8_t *pixels,
                struct error *err)
{
    if (set_dims(record, channels, height, width, err) < 0)
        return -1;
    record->is_float = false;
    record->bytes = pixels;
    return 0;
}

const struct record_kind *record_kind_find(const char *name, struct error *err)
{
    const struct record_kind *nearest = record_kinds[0];

    for (size_t i = 0; record_kinds[i] != NULL; i++) {
        if (strcmp(record_kinds[i]->name, name) == 0)
            return record_kinds[i];
        if (edit_distance(record_kinds[i]->name, name) < edit_distance(nearest->name, name))
            nearest = record_kinds[i];
    }
    error_set(err, EX_CONFIG, "dataset kind \"%s\" does not exist; the nearest is \"%s\"", name, nearest->name);
    return NULL;
}
