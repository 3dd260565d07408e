/* bin.c — raw numbers without a header, as numpy's tofile or a debugger's dump writes them, as a dataset. Shape and
 * type are the job's word; little-endian.
 */
#include "formats/records/array_file.h"

#include <inttypes.h>
#include <string.h>

static bool is_mine(const char *name)
{
    static const char *const endings[] = {".bin", ".raw"};

    return folder_name_ends(name, endings, sizeof endings / sizeof *endings);
}

static int describe(const struct dataset_request *request, const uint8_t *head, size_t n_head, uint64_t file_bytes,
                    struct array *array, struct error *err)
{
    struct elements *elements = &array->elements;
    char text[SHAPE_TEXT_BYTES];
    size_t n = 0;

    (void)head;
    (void)n_head;
    *array = (struct array){0};
    elements->type = request->dtype != NULL ? request->dtype : element_type_find("float32", err);
    if (elements->type == NULL || elements_count(&request->shape, &n, err) < 0)
        return -1;
    if (request->shape.rank == 0 || request->shape.rank == TENSOR_MAX_RANK)
        return error_set(err, EX_CONFIG, "expected a shape of 1 to %d dims", TENSOR_MAX_RANK - 1);
    n *= elements->type->size;
    if (file_bytes == 0 || file_bytes % n != 0)
        return error_set(err, EX_DATAERR, "expected a multiple of %zu bytes (%s of %s), found %" PRIu64, n,
                         shape_text(&request->shape, text), elements->type->name, file_bytes);
    elements->shape.rank = request->shape.rank + 1;
    elements->shape.dims[0] = (int64_t)(file_bytes / n);
    memcpy(elements->shape.dims + 1, request->shape.dims, request->shape.rank * sizeof *request->shape.dims);
    return 0;
}

static int decode(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
                  struct error *err)
{
    return array_decode(describe, request, data, size, record, err);
}

static int bin_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    static const struct folder_format folder = {is_mine, (size_t)1 << 32, decode};

    return array_open(describe, &folder, request, state, n_records, err);
}

const struct record_kind record_kind_bin = {
    .name = "bin",
    .summary = "raw numbers without a header: one file of records, or a folder of .bin files",
    .takes = DATASET_LIST | DATASET_LABELS | DATASET_LAYOUT | DATASET_SHAPE | DATASET_DTYPE,
    .open = bin_open,
    .close = array_close,
    .cursor_open = array_cursor_open,
    .cursor_close = array_cursor_close,
    .read = array_read,
    .read_key = array_read_key,
    .check_unchanged = array_check_unchanged,
};
