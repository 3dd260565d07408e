/* tensor.c — see tensor.h. */
#include "common/tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
    bool is_real;
} dtypes[DTYPE_COUNT] = {
    [DTYPE_FLOAT32] = {"float32", 4, true}, [DTYPE_FLOAT64] = {"float64", 8, true},
    [DTYPE_FLOAT16] = {"float16", 2, true}, [DTYPE_BFLOAT16] = {"bfloat16", 2, true},
    [DTYPE_INT8] = {"int8", 1, false},      [DTYPE_UINT8] = {"uint8", 1, false},
    [DTYPE_INT16] = {"int16", 2, false},    [DTYPE_UINT16] = {"uint16", 2, false},
    [DTYPE_INT32] = {"int32", 4, false},    [DTYPE_INT64] = {"int64", 8, false},
    [DTYPE_BOOL] = {"bool", 1, false},
};

size_t dtype_size(enum dtype dtype)
{
    assert((unsigned)dtype < DTYPE_COUNT);
    return dtypes[dtype].size;
}

const char *dtype_name(enum dtype dtype)
{
    return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

bool dtype_is_real(enum dtype dtype)
{
    assert((unsigned)dtype < DTYPE_COUNT);
    return dtypes[dtype].is_real;
}

int64_t shape_elements(const struct shape *shape)
{
    int64_t elements = 1;
    bool is_empty = false;

    if (shape->rank > TENSOR_MAX_RANK)
        return -1;
    for (size_t i = 0; i < shape->rank; i++) {
        int64_t dim = shape->dims[i];

        if (dim < 0 || dim > TENSOR_MAX_ELEMENTS)
            return -1;
        is_empty = is_empty || dim == 0;
        /* An empty tensor may have any other extents; one factor of at most 2^31 more cannot overflow int64. */
        if (!is_empty && (elements *= dim) > TENSOR_MAX_ELEMENTS)
            return -1;
    }
    return is_empty ? 0 : elements;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

const char *shape_text(const struct shape *shape, char buffer[SHAPE_TEXT_BYTES])
{
    size_t used = 0;

    if (shape->rank == 0)
        snprintf(buffer, SHAPE_TEXT_BYTES, "scalar");
    for (size_t i = 0; i < shape->rank && i < TENSOR_MAX_RANK; i++) /* at most 8 x 20 characters and 7 "x" */
        used +=
            (size_t)snprintf(buffer + used, SHAPE_TEXT_BYTES - used, "%s%" PRId64, i > 0 ? "x" : "", shape->dims[i]);
    return buffer;
}

int shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out, struct error *err)
{
    struct shape joint = {.rank = a->rank > b->rank ? a->rank : b->rank};
    char a_text[SHAPE_TEXT_BYTES], b_text[SHAPE_TEXT_BYTES];

    for (size_t i = 1; i <= joint.rank; i++) { /* from the last axis on; missing leading axes count as 1 */
        int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
        int64_t db = i <= b->rank ? b->dims[b->rank - i] : 1;

        if (da != db && da != 1 && db != 1)
            return error_set(err, EX_DATAERR, "shapes %s and %s do not broadcast together", shape_text(a, a_text),
                             shape_text(b, b_text));
        joint.dims[joint.rank - i] = da == 1 ? db : da;
    }
    *out = joint;
    return 0;
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023, bits;
    float result;

    if (exponent == 0) { /* zero or subnormal: fraction times 2^-24 */
        result = (float)fraction * 0x1p-24f;
        memcpy(&bits, &result, sizeof bits);
    } else {
        bits = (exponent == 31 ? UINT32_C(255) : exponent + 112) << 23 | fraction << 13;
    }
    bits |= sign;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static double brain_value(uint16_t bits)
{
    uint32_t single = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &single, sizeof value);
    return (double)value;
}

double tensor_real(const struct tensor *tensor, size_t index)
{
    switch (tensor->dtype) {
    case DTYPE_FLOAT32:
        return (double)((const float *)tensor->data)[index];
    case DTYPE_FLOAT64:
        return ((const double *)tensor->data)[index];
    case DTYPE_FLOAT16:
        return (double)half_to_float(((const uint16_t *)tensor->data)[index]);
    case DTYPE_BFLOAT16:
        return brain_value(((const uint16_t *)tensor->data)[index]);
    default:
        return (double)tensor_integer(tensor, index);
    }
}

/* Toward zero, like a C cast, but defined everywhere: saturates, and NaN gives 0. */
static int64_t real_to_integer(double x)
{
    if (isnan(x))
        return 0;
    if (x >= 0x1p63)
        return INT64_MAX;
    return x <= -0x1p63 ? INT64_MIN : (int64_t)x;
}

int64_t tensor_integer(const struct tensor *tensor, size_t index)
{
    switch (tensor->dtype) {
    case DTYPE_INT8:
        return ((const int8_t *)tensor->data)[index];
    case DTYPE_UINT8:
        return ((const uint8_t *)tensor->data)[index];
    case DTYPE_BOOL:
        return ((const uint8_t *)tensor->data)[index] != 0;
    case DTYPE_INT16:
        return ((const int16_t *)tensor->data)[index];
    case DTYPE_UINT16:
        return ((const uint16_t *)tensor->data)[index];
    case DTYPE_INT32:
        return ((const int32_t *)tensor->data)[index];
    case DTYPE_INT64:
        return ((const int64_t *)tensor->data)[index];
    default:
        return real_to_integer(tensor_real(tensor, index));
    }
}
