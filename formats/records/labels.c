/* labels.c — see labels.h. */
#include "formats/records/labels.h"

#include "common/bytes.h"
#include "common/memory.h"
#include "formats/records/idx.h"
#include "formats/records/npy.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LABEL_MAX = 1 << 24, LABEL_TEXT_BYTES = 32 }; /* whole numbers up to 2^24 pass through a float unharmed */

static int read_array(const struct bytes *file, array_describe *describe, uint64_t n, int32_t *labels,
                      struct error *err)
{
    static const struct dataset_request as_it_is;
    struct record record = {0};
    int rc = array_decode(describe, &as_it_is, file->data, file->size, &record, err);

    if (rc == 0 && record.channels * record.height * record.width != n)
        rc = error_set(err, EX_DATAERR, "expected %" PRIu64 " labels, found %zu", n,
                       record.channels * record.height * record.width);
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        float value = record.is_float ? record.values[i] : record.bytes[i];

        labels[i] = value >= -1 && value <= LABEL_MAX ? (int32_t)value : -2;
        if ((float)labels[i] != value)
            rc = error_set(err, EX_DATAERR, "label %" PRIu64 ": expected a whole number of -1 to %d, found %g", i,
                           LABEL_MAX, (double)value);
    }
    record_fini(&record);
    return rc;
}

/* A whole number at *at, which moves behind it; false where there is none, or one out of range. */
static bool next_number(const uint8_t **at, const uint8_t *end, int32_t *number)
{
    bool is_negative = *at < end && **at == '-';
    const uint8_t *digits = *at += is_negative;

    for (*number = 0; *at < end && **at >= '0' && **at <= '9' && *number <= LABEL_MAX; ++*at)
        *number = *number * 10 + (**at - '0');
    if (is_negative)
        *number = -*number;
    return *at > digits && *number >= -1 && *number <= LABEL_MAX;
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
