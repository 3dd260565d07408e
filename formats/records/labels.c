/* labels.c — see labels.h. */
#include "formats/records/labels.h"

#include "common/bytes.h"
#include "common/memory.h"
#include "formats/records/elements.h"
#include "formats/records/idx.h"
#include "formats/records/npy.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LABEL_MAX = INT32_MAX, LABEL_TEXT_BYTES = 32 };

/* The element of these bits as a label; false: it is none. Integers are taken whole: a float would round them from 2^24
 * on. */
static bool label_of(const struct element_type *type, uint64_t bits, int32_t *label)
{
    bool is_whole = element_type_decoded(type) == DTYPE_INT64;
    float real = element_real(type, bits);
    int64_t value = is_whole ? element_integer(type, bits) : real >= -1 && real < (float)LABEL_MAX ? (int64_t)real : -2;

    *label = (int32_t)value;
    return value >= -1 && value <= LABEL_MAX && (is_whole || (float)value == real);
}

static int read_array(const struct bytes *file, array_describe *describe, uint64_t n, int32_t *labels,
                      struct error *err)
{
    static const struct dataset_request as_it_is;
    size_t n_head = file->size < ARRAY_HEAD_BYTES ? file->size : ARRAY_HEAD_BYTES, found;
    const struct element_type *type;
    struct array array;

    if (describe(&as_it_is, file->data, n_head, file->size, &array, err) < 0 ||
        elements_count(&array.elements.shape, &found, err) < 0)
        return -1;
    type = array.elements.type;
    if (found != n)
        return error_set(err, EX_DATAERR, "expected %" PRIu64 " labels, found %zu", n, found);
    if (array.offset > file->size || n > (file->size - array.offset) / type->size)
        return error_set(err, EX_DATAERR, "expected %" PRIu64 " labels of %s, the file ends before", n, type->name);
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *at = file->data + array.offset + i * type->size;
        uint64_t bits = element_bits(at, type->size, array.elements.is_big_endian);

        if (!label_of(type, bits, &labels[i]))
            return error_set(err, EX_DATAERR, "label %" PRIu64 ": expected a whole number of -1 to %d, found %g", i,
                             LABEL_MAX, (double)element_real(type, bits));
    }
    return 0;
}

/* A whole number at *at, which moves behind it; false where there is none, or one out of range. */
static bool next_number(const uint8_t **at, const uint8_t *end, int32_t *number)
{
    bool is_negative = *at < end && **at == '-';
    const uint8_t *digits = *at += is_negative;
    int64_t value = 0;

    for (; *at < end && **at >= '0' && **at <= '9' && value <= LABEL_MAX; ++*at)
        value = value * 10 + (**at - '0');
    value = is_negative ? -value : value;
    *number = (int32_t)value;
    return *at > digits && value >= -1 && value <= LABEL_MAX;
}

static int read_text(const struct bytes *file, uint64_t n, int32_t *labels, struct error *err)
{
    const uint8_t *at = file->data, *end = at + file->size;
    uint64_t found = 0;

    for (;; found++) {
        int32_t label;

        while (at < end && (*at == ' ' || (*at >= '\t' && *at <= '\r')))
            at++;
        if (at == end)
            break;
        if (!next_number(&at, end, &label) || (at < end && *at != ' ' && (*at < '\t' || *at > '\r')))
            return error_set(err, EX_DATAERR, "label %" PRIu64 ": expected a whole number of -1 to %d", found,
                             LABEL_MAX);
        if (found < n)
            labels[found] = label;
    }
    return found == n ? 0 : error_set(err, EX_DATAERR, "expected %" PRIu64 " labels, found %" PRIu64, n, found);
}

int labels_read(const char *path, uint64_t n, int32_t **labels, struct error *err)
{
    struct bytes file = {0};
    int rc;

    if (n > (SIZE_MAX >> 1) / LABEL_TEXT_BYTES)
        return error_set(err, EX_DATAERR, "%s: %" PRIu64 " labels are more than memory can address", path, n);
    if (bytes_read(path, ARRAY_HEAD_BYTES + (size_t)n * LABEL_TEXT_BYTES, &file, err) < 0)
        return -1;
    *labels = memory_create((size_t)n, sizeof **labels, "labels", err);
    if (*labels == NULL)
        rc = -1;
    else if (npy_is(file.data, file.size))
        rc = read_array(&file, npy_describe, n, *labels, err);
    else if (idx_is(file.data, file.size))
        rc = read_array(&file, idx_describe, n, *labels, err);
    else
        rc = read_text(&file, n, *labels, err);
    bytes_free(&file);
    if (rc == 0)
        return 0;
    error_in(err, "%s", path);
    free(*labels);
    *labels = NULL;
    return -1;
}
