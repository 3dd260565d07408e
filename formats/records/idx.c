/* idx.c — IDX files as a dataset; see idx.h. */
#include "formats/records/idx.h"

static const char *const types[] = {
    [0x08] = "uint8", [0x09] = "int8", [0x0b] = "int16", [0x0c] = "int32", [0x0d] = "float32", [0x0e] = "float64"};

enum { N_TYPES = sizeof types / sizeof *types };

bool idx_is(const uint8_t *data, size_t size)
{
    return size >= 4 && data[0] == 0 && data[1] == 0 && data[2] < N_TYPES && types[data[2]] != NULL && data[3] > 0;
}

int idx_describe(const struct dataset_request *request, const uint8_t *head, size_t n_head, uint64_t file_bytes,
                 struct array *array, struct error *err)
{
    size_t rank;

    (void)request;
    (void)file_bytes;
    if (!idx_is(head, n_head))
        return error_set(err, EX_DATAERR,
                         "expected an IDX file, which begins with 00 00, a type and a number of dims%s",
                         n_head >= 2 && head[0] == 0x1f && head[1] == 0x8b ? ", found a gzip file: unpack it" : "");
    rank = head[3];
    if (rank > TENSOR_MAX_RANK || n_head < 4 + 4 * rank)
        return error_set(err, EX_DATAERR, "expected 1 to %d dims of four bytes each, found %zu in %zu bytes",
                         TENSOR_MAX_RANK, rank, n_head);
    *array = (struct array){.offset = 4 + 4 * rank, .elements = {.is_big_endian = true, .shape.rank = rank}};
    for (size_t i = 0; i < rank; i++) {
        const uint8_t *at = head + 4 + 4 * i;

        array->elements.shape.dims[i] =
            (int64_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
    }
    array->elements.type = element_type_find(types[head[2]], err);
    return array->elements.type == NULL ? -1 : 0;
}

static int idx_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    return array_open(idx_describe, NULL, request, state, n_records, err);
}

const struct record_kind record_kind_idx = {
    .name = "idx",
    .summary = "an IDX file, as MNIST's, with its labels in a file of their own",
    .takes = DATASET_LABELS | DATASET_LAYOUT,
    .open = idx_open,
    .close = array_close,
    .cursor_open = array_cursor_open,
    .cursor_close = array_cursor_close,
    .read = array_read,
    .read_key = array_read_key,
    .check_unchanged = array_check_unchanged,
};
