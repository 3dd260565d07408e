/* arithmetic.c — see arithmetic.h. */
#include "common/arithmetic.h"

#include <math.h>

static double modulo(double a, double b)
{
    double rest = fmod(a, b);

    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double arithmetic_real(enum binary_kind kind, double a, double b)
{
    switch (kind) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_MAX:
        return isnan(a) || a > b ? a : b;
    case BINARY_MIN:
        return isnan(a) || a < b ? a : b;
    case BINARY_POW:
        return pow(a, b);
    case BINARY_REMAINDER:
        return fmod(a, b);
    case BINARY_MODULO:
        return modulo(a, b);
    case BINARY_EQUAL:
        return a == b;
    case BINARY_LESS:
        return a < b;
    case BINARY_LESS_EQUAL:
        return a <= b;
    case BINARY_AND:
        return a != 0 && b != 0;
    case BINARY_OR:
        return a != 0 || b != 0;
    case BINARY_XOR:
        return (a != 0) != (b != 0);
    case BINARY_SHIFT_LEFT:
    case BINARY_SHIFT_RIGHT:
    case BINARY_COUNT:
        break;
    }
    return (double)NAN;
}

static int64_t wrapping_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrapping_multiply(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* By squaring; the result wraps as a product does. */
static int64_t power(int64_t a, int64_t b)
{
    int64_t result = 1;

    if (b < 0) /* 1 / a^-b, cut */
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    for (; b > 0; b /= 2, a = wrapping_multiply(a, a))
        if (b % 2 == 1)
            result = wrapping_multiply(result, a);
    return result;
}

/* a / b and a % b; -1 apart, since INT64_MIN / -1 traps. */
static int64_t quotient(int64_t a, int64_t b)
{
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t rest(int64_t a, int64_t b)
{
    return b == -1 ? 0 : a % b;
}

static int check_operands(enum binary_kind kind, int64_t a, int64_t b, struct error *err)
{
    if ((kind == BINARY_DIV || kind == BINARY_REMAINDER || kind == BINARY_MODULO) && b == 0)
        return error_set(err, EX_DATAERR, "%lld is divided by zero", (long long)a);
    if ((kind == BINARY_SHIFT_LEFT || kind == BINARY_SHIFT_RIGHT) && (b < 0 || b > 63))
        return error_set(err, EX_DATAERR, "%lld is shifted by %lld bits", (long long)a, (long long)b);
    return 0;
}

int arithmetic_integer(enum binary_kind kind, int64_t a, int64_t b, int64_t *out, struct error *err)
{
    if (check_operands(kind, a, b, err) != 0)
        return -1;
    switch (kind) {
    case BINARY_ADD:
        *out = wrapping_add(a, b);
        break;
    case BINARY_SUB:
        *out = (int64_t)((uint64_t)a - (uint64_t)b);
        break;
    case BINARY_MUL:
        *out = wrapping_multiply(a, b);
        break;
    case BINARY_DIV:
        *out = quotient(a, b);
        break;
    case BINARY_POW:
        *out = power(a, b);
        break;
    case BINARY_REMAINDER:
        *out = rest(a, b);
        break;
    case BINARY_MODULO:
        *out = rest(a, b);
        if (*out != 0 && (*out < 0) != (b < 0))
            *out += b;
        break;
    case BINARY_MAX:
        *out = a > b ? a : b;
        break;
    case BINARY_MIN:
        *out = a < b ? a : b;
        break;
    case BINARY_EQUAL:
        *out = a == b;
        break;
    case BINARY_LESS:
        *out = a < b;
        break;
    case BINARY_LESS_EQUAL:
        *out = a <= b;
        break;
    case BINARY_SHIFT_LEFT:
        *out = (int64_t)((uint64_t)a << b);
        break;
    case BINARY_SHIFT_RIGHT:
        *out = (int64_t)((uint64_t)a >> b);
        break;
    default: /* truth values are small integers: exact as real numbers */
        *out = (int64_t)arithmetic_real(kind, (double)(a != 0), (double)(b != 0));
        break;
    }
    return 0;
}
