/* bin.c — raw numbers without a header, as numpy's tofile or a debugger's dump writes them, as a dataset. Shape and
 * type are the job's word; little-endian.
 */
#include "formats/records/array_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_mine(const char *name)
{
    static const char *const endings[] = {".bin", ".raw"};

    return folder_name_ends(name, endings, sizeof endings / sizeof *endings);
}

/* The type that the file would be of, if it holds as many numbers of another; NULL: none. A wrong `dtype` is the usual
 * reason why sizes do not fit. */
static const char *fitting_type(uint64_t file_bytes, size_t n_elements)
{
    static const char *const names[] = {"float32", "float64", "float16", "uint8"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct element_type *type = element_type_find(names[i], NULL);

        if (file_bytes > 0 && type != NULL && file_bytes % (n_elements * type->size) == 0)
            return type->name;
    }
    return NULL;
}

static int wrong_size(const struct dataset_request *request, const struct element_type *type, size_t n_elements,
                      uint64_t file_bytes, struct error *err)
{
    const char *fitting = fitting_type(file_bytes, n_elements);
    char text[SHAPE_TEXT_BYTES];

    error_set(err, EX_DATAERR, "expected a multiple of %zu bytes (%s of %s), found %" PRIu64, n_elements * type->size,
              shape_text(&request->shape, text), type->name, file_bytes);
    if (fitting != NULL && err != NULL)
        snprintf(err->text + strlen(err->text), sizeof err->text - strlen(err->text),
                 ": is their dtype %s (key or option)?", fitting);
    return -1;
}

static int describe(const struct dataset_request *request, const uint8_t *head, size_t n_head, uint64_t file_bytes,
                    struct array *array, struct error *err)
{
    struct elements *elements = &array->elements;
    size_t n = 0;

    (void)head;
    (void)n_head;
    *array = (struct array){0};
    elements->type = request->dtype != NULL ? request->dtype : element_type_find("float32", err);
    if (elements->type == NULL || elements_count(&request->shape, &n, err) < 0)
        return -1;
    if (request->shape.rank == 0 || request->shape.rank == TENSOR_MAX_RANK)
        return error_set(err, EX_CONFIG, "expected a shape of 1 to %d dims", TENSOR_MAX_RANK - 1);
    if (file_bytes == 0 || file_bytes % (n * elements->type->size) != 0)
        return wrong_size(request, elements->type, n, file_bytes, err);
    n *= elements->type->size;
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
