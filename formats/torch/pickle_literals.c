/* pickle_literals.c — opcodes for values that a pickle spells out, and for containers of them. */
#include "formats/torch/pickle_machine.h"

#include <string.h>

int pickle_op_none(struct machine *m, int argument)
{
    (void)argument;
    return machine_push(m, machine_create(m, PICKLE_NONE));
}

int pickle_op_bool(struct machine *m, int argument)
{
    int value = machine_create(m, PICKLE_BOOL);

    if (value >= 0)
        m->pickle->values[value].integer = argument;
    return machine_push(m, value);
}

/* A number of `width` bytes, at most 8, in two's complement where is_signed. */
static int push_integer(struct machine *m, size_t width, bool is_signed)
{
    int shift = 64 - 8 * (int)width, value;
    uint64_t bits;

    if (machine_take_unsigned(m, width, &bits) != 0 || (value = machine_create(m, PICKLE_INTEGER)) < 0)
        return -1;
    if (is_signed && width > 0) /* the sign bit up to bit 63, and down again */
        m->pickle->values[value].integer = (int64_t)(bits << shift) >> shift;
    else
        m->pickle->values[value].integer = (int64_t)bits;
    return machine_push(m, value);
}

int pickle_op_unsigned(struct machine *m, int argument)
{
    return push_integer(m, (size_t)argument, false);
}

int pickle_op_signed(struct machine *m, int argument)
{
    return push_integer(m, (size_t)argument, true);
}

/* An integer behind its length. */
int pickle_op_long(struct machine *m, int argument)
{
    uint64_t width;

    if (machine_take_unsigned(m, (size_t)argument, &width) != 0)
        return -1;
    if (width > 8)
        return error_set(m->err, EX_DATAERR, "an integer of %llu bytes, expected at most 8", (unsigned long long)width);
    return push_integer(m, (size_t)width, true);
}

/* Big-endian, unlike everything else. */
int pickle_op_real(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;
    uint64_t bits = 0;
    int value;

    if (machine_take(m, (size_t)argument, &bytes) != 0 || (value = machine_create(m, PICKLE_REAL)) < 0)
        return -1;
    for (int i = 0; i < argument; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&m->pickle->values[value].real, &bits, sizeof bits);
    return machine_push(m, value);
}

/* A text behind its length. */
int pickle_op_text(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;
    uint64_t length;

    if (machine_take_unsigned(m, (size_t)argument, &length) != 0 || machine_take(m, length, &bytes) != 0)
        return -1;
    return machine_push(m, machine_create_text(m, bytes, length));
}

int pickle_op_empty(struct machine *m, int argument)
{
    return machine_push(m, machine_create(m, (enum pickle_kind)argument));
}

/* A container of what lies on the stack from `first` on. */
static int gather(struct machine *m, enum pickle_kind kind, size_t first)
{
    int value = machine_create(m, kind);

    for (size_t i = first; value >= 0 && i < m->n_stack; i++)
        if (machine_add_item(m, value, m->stack[i]) != 0)
            return -1;
    m->n_stack = first;
    return machine_push(m, value);
}

int pickle_op_tuple(struct machine *m, int argument)
{
    if (m->n_stack - machine_floor(m) < (size_t)argument)
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    return gather(m, PICKLE_TUPLE, m->n_stack - (size_t)argument);
}

int pickle_op_gather(struct machine *m, int argument)
{
    size_t first = 0;

    return machine_pop_mark(m, &first) != 0 ? -1 : gather(m, (enum pickle_kind)argument, first);
}

/* Moves stack[first..n_stack) into the container of that kind, or object, below them. */
static int move_items(struct machine *m, enum pickle_kind kind, size_t first)
{
    size_t n = m->n_stack, multiple = kind == PICKLE_DICT ? 2 : 1;
    int container;

    if ((n - first) % multiple != 0)
        return error_set(m->err, EX_DATAERR, "a key without a value");
    m->n_stack = first;
    if (machine_top(m, kind, PICKLE_OBJECT, &container) != 0)
        return -1;
    for (size_t i = first; i < n; i++)
        if (machine_add_item(m, container, m->stack[i]) != 0)
            return -1;
    return 0;
}

int pickle_op_append(struct machine *m, int argument)
{
    size_t n = argument == PICKLE_DICT ? 2 : 1;

    if (m->n_stack - machine_floor(m) < n)
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    return move_items(m, (enum pickle_kind)argument, m->n_stack - n);
}

int pickle_op_extend(struct machine *m, int argument)
{
    size_t first = 0;

    return machine_pop_mark(m, &first) != 0 ? -1 : move_items(m, (enum pickle_kind)argument, first);
}
