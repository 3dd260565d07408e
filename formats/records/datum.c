/* datum.c — see datum.h. */
#include "formats/records/datum.h"

#include "formats/proto_wire.h"
#include "formats/records/decode_image.h"
#include "formats/records/elements.h"

#include <string.h>

enum {
    ANNOTATED_DATUM = 1, /* AnnotatedDatum.datum */
    ANNOTATED_TAG = ANNOTATED_DATUM << 3 | WIRE_LENGTH,
};

static int wrong_type(const char *name, struct error *err)
{
    return error_set(err, EX_DATAERR, "Datum field \"%s\" has the wrong wire type", name);
}

/* int32 travels as a varint, negative ones sign-extended to 64 bits. */
static int take_int32(const struct wire_field *field, const char *name, int64_t *value, struct error *err)
{
    int64_t number = (int64_t)field->integer;

    if (field->type != WIRE_VARINT)
        return wrong_type(name, err);
    if (number < INT32_MIN || number > INT32_MAX)
        return error_set(err, EX_DATAERR, "Datum field \"%s\": %lld is no int32", name, (long long)number);
    *value = number;
    return 0;
}

static int take_floats(const struct wire_field *field, size_t *n, struct error *err)
{
    size_t bytes = field->type == WIRE_LENGTH ? (size_t)(field->contents.end - field->contents.at) : sizeof(float);

    if ((field->type != WIRE_LENGTH && field->type != WIRE_32BIT) || bytes % sizeof(float) != 0)
        return wrong_type("float_data", err);
    *n += bytes / sizeof(float);
    return 0;
}

static int add_dim(uint64_t dim, struct shape *shape, struct error *err)
{
    if (shape->rank == TENSOR_MAX_RANK || dim == 0 || dim > RECORD_MAX_ELEMENTS)
        return error_set(err, EX_DATAERR, "Datum field \"shape\": expected at most %d dims of 1 to %d", TENSOR_MAX_RANK,
                         RECORD_MAX_ELEMENTS);
    shape->dims[shape->rank++] = (int64_t)dim;
    return 0;
}

/* Dims packed or one by one. */
static int take_shape(const struct wire_field *field, struct shape *shape, struct error *err)
{
    struct wire message = field->contents;
    struct wire_field dim;
    int rc;

    if (field->type != WIRE_LENGTH)
        return wrong_type("shape", err);
    while ((rc = wire_next(&message, &dim, err)) > 0) {
        struct wire packed = dim.contents;
        uint64_t value;

        if (dim.number != 1)
            continue;
        if (dim.type == WIRE_VARINT ? add_dim(dim.integer, shape, err) < 0 : dim.type != WIRE_LENGTH)
            return dim.type == WIRE_VARINT ? -1 : wrong_type("shape", err);
        while (dim.type == WIRE_LENGTH && packed.at < packed.end)
            if (wire_varint(&packed, &value, err) < 0 || add_dim(value, shape, err) < 0)
                return -1;
    }
    return rc;
}

static int take_dtype(const struct wire_field *field, const struct element_type **type, struct error *err)
{
    static const char *const names[] = {"float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32"};

    if (field->type != WIRE_VARINT)
        return wrong_type("dtype", err);
    if (field->integer >= sizeof names / sizeof *names)
        return error_set(err, EX_DATAERR, "Datum field \"dtype\": expected 0 to 7, found %llu",
                         (unsigned long long)field->integer);
    *type = element_type_find(names[field->integer], err);
    return *type == NULL ? -1 : 0;
}

static int take_field(const struct wire_field *field, struct datum *datum, struct error *err)
{
    switch (field->number) {
    case FIELD_CHANNELS:
        return take_int32(field, "channels", &datum->channels, err);
    case FIELD_HEIGHT:
        return take_int32(field, "height", &datum->height, err);
    case FIELD_WIDTH:
        return take_int32(field, "width", &datum->width, err);
    case FIELD_LABEL:
        return take_int32(field, "label", &datum->label, err);
    case FIELD_FLOAT_DATA:
        return take_floats(field, &datum->n_values, err);
    case FIELD_DATA:
        if (field->type != WIRE_LENGTH)
            return wrong_type("data", err);
        datum->data = field->contents.at;
        datum->size = (size_t)(field->contents.end - field->contents.at);
        return 0;
    case FIELD_ENCODED:
        if (field->type != WIRE_VARINT)
            return wrong_type("encoded", err);
        datum->is_encoded = field->integer != 0;
        return 0;
    case FIELD_SHAPE:
        return take_shape(field, &datum->shape, err);
    case FIELD_DTYPE:
        return take_dtype(field, &datum->type, err);
    default:
        return 0; /* a field of some fork: does not concern pixels */
    }
}

/* Steps into an AnnotatedDatum; leaves a plain Datum as it is. */
static int enter_annotated(struct wire *message, struct error *err)
{
    struct wire outer = *message;
    struct wire_field field;
    int rc;

    if (message->at == message->end || *message->at != ANNOTATED_TAG)
        return 0;
    while ((rc = wire_next(&outer, &field, err)) > 0)
        if (field.number == ANNOTATED_DATUM && field.type == WIRE_LENGTH)
            *message = field.contents;
    return rc;
}

static int parse(struct wire message, struct datum *datum, struct error *err)
{
    struct wire_field field;
    int rc;

    *datum = (struct datum){.label = -1};
    while ((rc = wire_next(&message, &field, err)) > 0)
        if (take_field(&field, datum, err) < 0)
            return -1;
    if (datum->size == 0)
        datum->data = NULL;
    return rc;
}

int datum_parse(const uint8_t *message, size_t size, struct datum *datum, struct error *err)
{
    struct wire wire = {message, message, message + size};

    if (enter_annotated(&wire, err) < 0)
        return -1;
    return parse(wire, datum, err);
}

static float float_from_bits(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float value;

    memcpy(&value, &word, sizeof value);
    return value;
}

/* float_data in order of appearance, packed and single ones mixed as they come. The message was parsed before. */
static int copy_floats(struct wire message, float *values, struct error *err)
{
    struct wire_field field;
    int rc;

    while ((rc = wire_next(&message, &field, err)) > 0) {
        if (field.number != FIELD_FLOAT_DATA)
            continue;
        if (field.type == WIRE_32BIT) {
            *values++ = float_from_bits(field.integer);
            continue;
        }
        for (const uint8_t *at = field.contents.at; at < field.contents.end; at += 4)
            *values++ =
                float_from_bits((uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24);
    }
    return rc;
}

static int decode_encoded(const struct datum *datum, struct record *record, struct error *err)
{
    struct rectangle window;

    if (decode_image(datum->data, datum->size, record, err) < 0)
        return -1;
    if (record->order != PIXELS_RGB)
        return 0;
    window = decode_window(record);
    for (size_t y = window.top; y < window.top + window.height; y++)
        for (size_t x = window.left; x < window.left + window.width; x++) {
            uint8_t *pixel = record->byte_buffer + 3 * (y * record->width + x), red = pixel[0];

            pixel[0] = pixel[2];
            pixel[2] = red;
        }
    record->order = PIXELS_BGR;
    return 0;
}

/* The variant's dims, where the ordinary ones are absent: the last two are height and width, all before them channels.
 */
static int use_shape(struct datum *datum, struct error *err)
{
    const struct shape *shape = &datum->shape;
    int64_t n = shape_elements(shape);
    char text[SHAPE_TEXT_BYTES];

    if (shape->rank == 0 || datum->channels != 0 || datum->height != 0 || datum->width != 0)
        return 0;
    if (n <= 0 || n > RECORD_MAX_ELEMENTS)
        return error_set(err, EX_DATAERR, "Datum field \"shape\": %s is too large", shape_text(shape, text));
    datum->width = shape->rank > 1 ? shape->dims[shape->rank - 1] : 1;
    datum->height = shape->rank > 1 ? shape->dims[shape->rank - 2] : 1;
    datum->channels = n / (datum->height * datum->width);
    return 0;
}

/* `data` of another type than bytes. */
static int take_elements(const struct datum *datum, struct record *record, struct error *err)
{
    struct dataset_request planes = {.order = datum->channels == 3   ? PIXELS_BGR
                                              : datum->channels == 1 ? PIXELS_GRAY
                                                                     : PIXELS_NONE};
    struct elements elements = {.type = datum->type, .shape = {3, {datum->channels, datum->height, datum->width}}};

    return elements_to_record(&elements, &planes, datum->data, datum->size, record, err);
}

static int take_planes(struct wire message, const struct datum *datum, struct record *record, struct error *err)
{
    bool is_float = datum->data == NULL;
    size_t found = is_float ? datum->n_values : datum->size, expected;

    if (datum->channels <= 0 || datum->height <= 0 || datum->width <= 0)
        return error_set(err, EX_DATAERR, "expected positive dims, found %lldx%lldx%lld", (long long)datum->channels,
                         (long long)datum->height, (long long)datum->width);
    /* Each dim is below 2^31: the product of two cannot overflow, so division tells whether that of three does. */
    if ((uint64_t)datum->height * (uint64_t)datum->width > found / (uint64_t)datum->channels)
        expected = SIZE_MAX;
    else
        expected = (size_t)(datum->channels * datum->height * datum->width);
    if (expected != found)
        return error_set(err, EX_DATAERR, "expected %lldx%lldx%lld %s, found %zu", (long long)datum->channels,
                         (long long)datum->height, (long long)datum->width, is_float ? "floats" : "bytes", found);
    record->is_planar = true;
    record->order = datum->channels == 3 ? PIXELS_BGR : datum->channels == 1 ? PIXELS_GRAY : PIXELS_NONE;
    if (!is_float)
        return record_lend(record, (size_t)datum->channels, (size_t)datum->height, (size_t)datum->width, datum->data,
                           err);
    if (record_reserve(record, (size_t)datum->channels, (size_t)datum->height, (size_t)datum->width, true, err) < 0)
        return -1;
    return copy_floats(message, record->value_buffer, err);
}

int datum_to_record(const uint8_t *message, size_t size, struct record *record, struct error *err)
{
    struct wire wire = {message, message, message + size};
    struct datum datum;

    if (enter_annotated(&wire, err) < 0 || parse(wire, &datum, err) < 0 || use_shape(&datum, err) < 0)
        return -1;
    record->label = datum.label;
    if (datum.data == NULL && (datum.is_encoded || datum.n_values == 0))
        return error_set(err, EX_DATAERR, "expected pixels, found a Datum without data");
    if (datum.is_encoded)
        return decode_encoded(&datum, record, err);
    return datum.data != NULL && datum.type != NULL && strcmp(datum.type->name, "uint8") != 0
               ? take_elements(&datum, record, err)
               : take_planes(wire, &datum, record, err);
}
