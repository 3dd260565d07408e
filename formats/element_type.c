/* element_type.c — see element_type.h. */
#include "formats/element_type.h"

#include "common/suggest.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are copied as they lie in the file");

static const struct element_type types[] = {
    {"float32", 4, ELEMENT_FLOAT},   {"float64", 8, ELEMENT_FLOAT},   {"float16", 2, ELEMENT_HALF},
    {"bfloat16", 2, ELEMENT_BRAIN},  {"uint8", 1, ELEMENT_UNSIGNED},  {"int8", 1, ELEMENT_SIGNED},
    {"uint16", 2, ELEMENT_UNSIGNED}, {"int16", 2, ELEMENT_SIGNED},    {"uint32", 4, ELEMENT_UNSIGNED},
    {"int32", 4, ELEMENT_SIGNED},    {"uint64", 8, ELEMENT_UNSIGNED}, {"int64", 8, ELEMENT_SIGNED},
    {"bool", 1, ELEMENT_UNSIGNED},
};

enum { N_TYPES = sizeof types / sizeof *types };

const struct element_type *element_type_named(const char *name)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const struct element_type *element_type_find(const char *name, struct error *err)
{
    const struct element_type *type = element_type_named(name);

    if (type == NULL)
        error_set(err, EX_CONFIG, "type of elements \"%s\" does not exist; the nearest is \"%s\"", name,
                  suggest_nearest(name, &types[0].name, N_TYPES, sizeof *types));
    return type;
}

enum dtype element_type_decoded(const struct element_type *type)
{
    return type->coding == ELEMENT_SIGNED || type->coding == ELEMENT_UNSIGNED ? DTYPE_INT64 : DTYPE_FLOAT32;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t element_integer(const struct element_type *type, uint64_t bits)
{
    uint64_t sign = UINT64_C(1) << (8 * type->size - 1);

    return (int64_t)(type->coding == ELEMENT_SIGNED ? (bits ^ sign) - sign : bits);
}

float element_real(const struct element_type *type, uint64_t bits)
{
    switch (type->coding) {
    case ELEMENT_UNSIGNED:
        return (float)bits;
    case ELEMENT_SIGNED:
        return (float)element_integer(type, bits);
    case ELEMENT_FLOAT:
        return type->size == sizeof(float) ? float_of((uint32_t)bits) : (float)double_of(bits);
    case ELEMENT_HALF:
        return half_to_float((uint16_t)bits);
    case ELEMENT_BRAIN:
        return float_of((uint32_t)bits << 16);
    }
    return 0;
}

static int decode_reals(const struct element_type *type, const struct element_run *run, float *to, struct error *err)
{
    const uint8_t *at = run->base;

    for (size_t i = 0; i < run->n; i++, at += run->stride) {
        uint64_t bits = 0;

        memcpy(&bits, at, type->size);
        to[i] = element_real(type, bits);
        if (type->size == sizeof(double) && isinf(to[i]) && !isinf(double_of(bits)))
            return error_set(err, EX_UNAVAILABLE, "element %zu, %g, lies beyond float32", i, double_of(bits));
    }
    return 0;
}

static void decode_integers(const struct element_type *type, const struct element_run *run, int64_t *to)
{
    const uint8_t *at = run->base;

    for (size_t i = 0; i < run->n; i++, at += run->stride) {
        uint64_t bits = 0;

        memcpy(&bits, at, type->size);
        to[i] = element_integer(type, bits);
    }
}

int elements_decode(const struct element_type *type, const struct element_run *run, void *to, struct error *err)
{
    bool is_float = type->coding == ELEMENT_FLOAT && type->size == sizeof(float);

    if (run->n == 0)
        return 0;
    if (is_float && run->stride == sizeof(float)) /* nearly all bytes of nearly all models */
        memcpy(to, run->base, run->n * sizeof(float));
    else if (element_type_decoded(type) == DTYPE_FLOAT32)
        return decode_reals(type, run, to, err);
    else
        decode_integers(type, run, to);
    return 0;
}
