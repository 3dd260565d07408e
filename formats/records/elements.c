/* elements.c — see elements.h. */
#include "formats/records/elements.h"

#include <string.h>

int elements_count(const struct shape *shape, size_t *n, struct error *err)
{
    int64_t count = shape_elements(shape);
    char text[SHAPE_TEXT_BYTES];

    if (count <= 0 || count > RECORD_MAX_ELEMENTS)
        return error_set(err, EX_DATAERR, "a record of %s: expected 1 to %d elements", shape_text(shape, text),
                         RECORD_MAX_ELEMENTS);
    *n = (size_t)count;
    return 0;
}

int elements_reserve(const struct elements *elements, const struct dataset_request *request, struct record *record,
                     struct error *err)
{
    const struct shape *shape = &elements->shape;
    bool is_float = strcmp(elements->type->name, "uint8") != 0, is_interleaved = request->is_interleaved;
    size_t dims[3] = {1, 1, 1}; /* channels, height, width */

    if (is_interleaved && shape->rank < 3)
        return error_set(err, EX_DATAERR, "expected height, width and channels, found %zu dimensions", shape->rank);
    if (shape->rank == 1)
        dims[0] = (size_t)shape->dims[0];
    for (size_t i = 0; shape->rank > 1 && i < shape->rank; i++) {
        size_t place = i + 3 > shape->rank ? i + 3 - shape->rank : 0; /* of the last three; those before: the first */

        dims[is_interleaved ? (place + 1) % 3 : place] *= (size_t)shape->dims[i];
    }
    record->is_planar = !is_interleaved;
    record->order = request->order != PIXELS_NONE           ? request->order
                    : dims[0] == 1 && dims[1] * dims[2] > 1 ? PIXELS_GRAY
                                                            : PIXELS_NONE;
    if (record->order != PIXELS_NONE && dims[0] != (record->order == PIXELS_GRAY ? 1 : 3))
        return error_set(err, EX_DATAERR, "expected %d channels, found %zu", record->order == PIXELS_GRAY ? 1 : 3,
                         dims[0]);
    return record_reserve(record, dims[0], dims[1], dims[2], is_float, err);
}

uint64_t element_bits(const uint8_t *at, size_t size, bool is_big_endian)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)at[i] << 8 * (is_big_endian ? size - 1 - i : i);
    return bits;
}

/* Element `from` of the file becomes element `to` of the record. */
static void convert(const struct elements *elements, const uint8_t *data, size_t from, struct record *record, size_t to)
{
    size_t size = elements->type->size;

    if (record->is_float)
        record->value_buffer[to] =
            element_real(elements->type, element_bits(data + from * size, size, elements->is_big_endian));
    else
        record->byte_buffer[to] = data[from];
}

/* Counts through all elements with the last dim fastest, while `from` keeps to strides that grow from the first on. */
static void convert_fortran(const struct elements *elements, const uint8_t *data, size_t n, struct record *record)
{
    const struct shape *shape = &elements->shape;
    size_t at[TENSOR_MAX_RANK] = {0}, strides[TENSOR_MAX_RANK] = {0}, from = 0;

    for (size_t i = 0, stride = 1; i < shape->rank; stride *= (size_t)shape->dims[i++])
        strides[i] = stride;
    for (size_t to = 0; to < n; to++) {
        convert(elements, data, from, record, to);
        for (size_t i = shape->rank; i-- > 0;) {
            from += strides[i];
            if (++at[i] < (size_t)shape->dims[i])
                break;
            from -= strides[i] * (size_t)shape->dims[i];
            at[i] = 0;
        }
    }
}

int elements_to_record(const struct elements *elements, const struct dataset_request *request, const uint8_t *data,
                       size_t size, struct record *record, struct error *err)
{
    const struct element_type *type = elements->type;
    char text[SHAPE_TEXT_BYTES];
    size_t n = 0;

    if (elements_count(&elements->shape, &n, err) < 0)
        return -1;
    if (size / type->size != n || size % type->size != 0)
        return error_set(err, EX_DATAERR, "expected %s elements of %s, %zu bytes, found %zu",
                         shape_text(&elements->shape, text), type->name, n * type->size, size);
    if (elements_reserve(elements, request, record, err) < 0)
        return -1;
    if (elements->is_fortran && elements->shape.rank > 1)
        convert_fortran(elements, data, n, record);
    else if (!record->is_float)
        memcpy(record->byte_buffer, data, n);
    else
        for (size_t i = 0; i < n; i++)
            convert(elements, data, i, record, i);
    return 0;
}
