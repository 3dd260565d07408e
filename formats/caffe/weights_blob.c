/* weights_blob.c — one blob of a layer; see weights.h. Field numbers: caffe.proto. */
#include "formats/caffe/weights_private.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed floats are copied as they lie in the file");

/* BlobProto, BlobShape. */
enum {
    BLOB_NUM = 1, /* then channels, height, width */
    BLOB_WIDTH = 4,
    BLOB_DATA = 5,
    BLOB_SHAPE = 7,
    BLOB_DOUBLE_DATA = 8,
    BLOB_INTEGERS = CAFFE_BLOB_INTEGERS,
    BLOB_RIGHT_SHIFT = 16,
    SHAPE_DIM = 1,
};

/* Numbers in one field: a packed run, or a single one. */
static int count_numbers(const struct wire_field *field, size_t size, uint64_t *count, struct error *err)
{
    size_t bytes = (size_t)(field->contents.end - field->contents.at);

    if (field->type == (size == 4 ? WIRE_32BIT : WIRE_64BIT)) {
        (*count)++;
        return 0;
    }
    if (field->type != WIRE_LENGTH || bytes % size != 0)
        return error_set(err, EX_DATAERR, "expected numbers of %zu bytes, found %zu bytes of wire type %d", size, bytes,
                         (int)field->type);
    *count += bytes / size;
    return 0;
}

/* Varints in one field: a packed run, or a single one. */
static int count_integers(const struct wire_field *field, uint64_t *count, struct error *err)
{
    struct wire run = field->contents;
    uint64_t ignored;

    if (field->type == WIRE_VARINT)
        (*count)++;
    else if (field->type != WIRE_LENGTH)
        return error_set(err, EX_DATAERR, "expected integers, found a field of wire type %d", (int)field->type);
    while (field->type == WIRE_LENGTH && run.at < run.end) {
        if (wire_varint(&run, &ignored, err) < 0)
            return -1;
        (*count)++;
    }
    return 0;
}

static int add_dim(struct shape *shape, uint64_t dim, struct error *err)
{
    if (shape->rank == TENSOR_MAX_RANK)
        return error_set(err, EX_DATAERR, "its shape has more than %d axes", TENSOR_MAX_RANK);
    shape->dims[shape->rank++] = (int64_t)dim;
    return 0;
}

static int read_shape(struct wire wire, struct shape *shape, struct error *err)
{
    struct wire_field field;
    uint64_t dim;
    int rc;

    while ((rc = wire_next(&wire, &field, err)) > 0) {
        if (field.number != SHAPE_DIM)
            continue;
        if (field.type == WIRE_VARINT && add_dim(shape, field.integer, err) < 0)
            return -1;
        while (field.type == WIRE_LENGTH && field.contents.at < field.contents.end)
            if (wire_varint(&field.contents, &dim, err) < 0 || add_dim(shape, dim, err) < 0)
                return -1;
    }
    return rc;
}

static int read_blob_field(struct caffe_blob_facts *blob, const struct wire_field *field, struct error *err)
{
    if (field->number >= BLOB_NUM && field->number <= BLOB_WIDTH && field->type == WIRE_VARINT) {
        blob->is_legacy = true;
        blob->legacy[field->number - BLOB_NUM] = (int32_t)field->integer;
        return 0;
    }
    switch (field->number) {
    case BLOB_DATA:
        return count_numbers(field, sizeof(float), &blob->n_floats, err);
    case BLOB_DOUBLE_DATA:
        return count_numbers(field, sizeof(double), &blob->n_doubles, err);
    case BLOB_INTEGERS:
        return count_integers(field, &blob->n_integers, err);
    case BLOB_RIGHT_SHIFT:
        blob->right_shift = caffe_zigzag(field->integer);
        return 0;
    case BLOB_SHAPE:
        return field->type == WIRE_LENGTH ? read_shape(field->contents, &blob->shape, err) : 0;
    default:
        return 0;
    }
}

int caffe_blob_error(const struct caffe_weights *weights, size_t index, struct error *err)
{
    return error_in(err, "%s: blob %zu", weights->path, index);
}

static int read_blob(struct wire wire, struct caffe_blob_facts *blob, struct error *err)
{
    struct wire_field field;
    int rc;

    *blob = (struct caffe_blob_facts){.right_shift = CAFFE_NO_SHIFT};
    while ((rc = wire_next(&wire, &field, err)) > 0)
        if (read_blob_field(blob, &field, err) < 0)
            return -1;
    if (rc == 0 && blob->is_legacy) {
        blob->shape.rank = 4;
        memcpy(blob->shape.dims, blob->legacy, sizeof blob->legacy);
    }
    return rc;
}

int caffe_blob_find(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                    struct caffe_blob_facts *blob, struct error *err)
{
    if (index >= layer->n_blobs)
        return error_set(err, EX_DATAERR, "%s: expected a blob %zu, found %zu blobs", weights->path, index,
                         layer->n_blobs);
    return read_blob(layer->blobs[index], blob, err) < 0 ? caffe_blob_error(weights, index, err) : 0;
}

int caffe_weights_shape(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                        struct shape *shape, struct error *err)
{
    struct caffe_blob_facts blob;

    if (caffe_blob_find(weights, layer, index, &blob, err) < 0)
        return -1;
    *shape = blob.shape;
    return 0;
}

static bool same_but_for_ones(const struct shape *a, const struct shape *b)
{
    size_t i = 0, j = 0;

    for (;;) {
        while (i < a->rank && a->dims[i] == 1)
            i++;
        while (j < b->rank && b->dims[j] == 1)
            j++;
        if (i == a->rank || j == b->rank)
            return i == a->rank && j == b->rank;
        if (a->dims[i++] != b->dims[j++])
            return false;
    }
}

int caffe_blob_check(const struct caffe_blob_facts *blob, const struct shape *expected, uint64_t held, const char *what,
                     struct error *err)
{
    int64_t needed = shape_elements(expected);
    char want[SHAPE_TEXT_BYTES], have[SHAPE_TEXT_BYTES];

    if (needed < 0)
        return error_set(err, EX_DATAERR, "shape %s is negative or has more than 2^31 elements",
                         shape_text(expected, want));
    if (!same_but_for_ones(&blob->shape, expected))
        return error_set(err, EX_DATAERR, "expected shape %s, found %s", shape_text(expected, want),
                         shape_text(&blob->shape, have));
    if (held != (uint64_t)needed)
        return error_set(err, EX_DATAERR, "shape %s needs %lld %s, file holds %llu", shape_text(expected, want),
                         (long long)needed, what, (unsigned long long)held);
    return 0;
}

static float *copy_floats(float *to, const struct wire_field *field)
{
    uint32_t bits = (uint32_t)field->integer;
    size_t bytes = (size_t)(field->contents.end - field->contents.at);

    if (field->type == WIRE_LENGTH) {
        memcpy(to, field->contents.at, bytes);
        return to + bytes / sizeof *to;
    }
    memcpy(to, &bits, sizeof bits);
    return to + 1;
}

static float *copy_doubles(float *to, const struct wire_field *field)
{
    double number;

    if (field->type != WIRE_LENGTH) {
        memcpy(&number, &field->integer, sizeof number);
        *to++ = (float)number;
        return to;
    }
    for (const uint8_t *at = field->contents.at; at < field->contents.end; at += sizeof number) {
        memcpy(&number, at, sizeof number);
        *to++ = (float)number;
    }
    return to;
}

static int copy_blob(const struct caffe_weights *weights, struct wire wire, const struct caffe_blob_facts *blob,
                     const struct shape *shape, struct arena *arena, const float **values, struct error *err)
{
    float *copy = arena_create_array(arena, (size_t)shape_elements(shape), sizeof *copy, err), *to = copy;
    struct wire rest = wire;
    struct wire_field field;

    if (copy == NULL)
        return -1;
    while (wire_next(&rest, &field, err) > 0) /* caffe_blob_find has seen every field */
        if (field.number == BLOB_DATA && blob->n_doubles == 0)
            to = copy_floats(to, &field);
        else if (field.number == BLOB_DOUBLE_DATA)
            to = copy_doubles(to, &field);
    bytes_forget(&weights->file, wire.at, (size_t)(wire.end - wire.at));
    *values = copy;
    return 0;
}

int caffe_weights_read(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                       const struct shape *expected, struct arena *arena, const float **values, struct error *err)
{
    struct caffe_blob_facts blob;

    if (caffe_blob_find(weights, layer, index, &blob, err) < 0)
        return -1;
    if (blob.n_integers > 0 && blob.n_floats + blob.n_doubles == 0)
        error_set(err, EX_UNAVAILABLE, "it holds integers, which are known of convolutions and inner products alone");
    else if (caffe_blob_check(&blob, expected, blob.n_doubles > 0 ? blob.n_doubles : blob.n_floats, "floats", err) == 0)
        return copy_blob(weights, layer->blobs[index], &blob, expected, arena, values, err);
    return caffe_blob_error(weights, index, err);
}
