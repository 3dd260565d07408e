/* pickle_machine.c — see pickle_machine.h. */
#include "formats/torch/pickle_machine.h"

#include "common/memory.h"

/* ---- Memory and bytes */

int machine_grow(struct machine *m, void **array, size_t *capacity, size_t count, size_t size)
{
    size_t before = *capacity;

    if (count < before)
        return 0;
    if (count >= (m->budget - m->allocated) / (2 * size)) /* it doubles */
        return error_set(m->err, EX_DATAERR, "the pickle would take more than %zu bytes of memory", m->budget);
    if (memory_grow(array, capacity, count, size, "a pickle", m->err) != 0)
        return -1;
    m->allocated += (*capacity - before) * size;
    return 0;
}

int machine_take(struct machine *m, size_t n, const uint8_t **bytes)
{
    if (n > m->size - m->at)
        return error_set(m->err, EX_DATAERR, "expected %zu bytes more, found %zu", n, m->size - m->at);
    *bytes = m->data + m->at;
    m->at += n;
    return 0;
}

int machine_take_unsigned(struct machine *m, size_t width, uint64_t *out)
{
    const uint8_t *bytes = NULL;

    if (machine_take(m, width, &bytes) != 0)
        return -1;
    *out = 0;
    for (size_t i = 0; i < width; i++)
        *out |= (uint64_t)bytes[i] << 8 * i;
    return 0;
}

/* ---- Values */

int machine_create(struct machine *m, enum pickle_kind kind)
{
    struct pickle *p = m->pickle;

    if (p->n_values >= INT32_MAX)
        return error_set(m->err, EX_DATAERR, "more than 2^31 values");
    if (machine_grow(m, (void **)&p->values, &p->values_capacity, p->n_values, sizeof *p->values) != 0)
        return -1;
    p->values[p->n_values] = (struct pickle_value){.kind = kind, .first = PICKLE_ABSENT, .last = PICKLE_ABSENT};
    return (int)p->n_values++;
}

int machine_add_item(struct machine *m, int container, int item)
{
    struct pickle *p = m->pickle;
    struct pickle_value *value = &p->values[container];
    int cell = (int)p->n_items;

    if (p->n_items >= INT32_MAX)
        return error_set(m->err, EX_DATAERR, "more than 2^31 items");
    if (machine_grow(m, (void **)&p->items, &p->items_capacity, p->n_items, sizeof *p->items) != 0)
        return -1;
    p->items[p->n_items++] = (struct pickle_item){item, PICKLE_ABSENT};
    if (value->last == PICKLE_ABSENT)
        value->first = cell;
    else
        p->items[value->last].next = cell;
    value->last = cell;
    value->n_items++;
    return 0;
}

int machine_push(struct machine *m, int value)
{
    if (value < 0 || machine_grow(m, (void **)&m->stack, &m->stack_capacity, m->n_stack, sizeof *m->stack) != 0)
        return -1;
    m->stack[m->n_stack++] = value;
    return 0;
}

size_t machine_floor(const struct machine *m)
{
    return m->n_marks > 0 ? m->marks[m->n_marks - 1] : 0;
}

int machine_pop(struct machine *m, int *value)
{
    if (m->n_stack <= machine_floor(m))
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    *value = m->stack[--m->n_stack];
    return 0;
}

int machine_top(struct machine *m, enum pickle_kind kind, enum pickle_kind other, int *value)
{
    if (machine_pop(m, value) != 0)
        return -1;
    m->n_stack++;
    if (m->pickle->values[*value].kind != kind && m->pickle->values[*value].kind != other)
        return error_set(m->err, EX_DATAERR, "the value on the stack is not what this opcode works on");
    return 0;
}

int machine_pop_mark(struct machine *m, size_t *first)
{
    if (m->n_marks == 0)
        return error_set(m->err, EX_DATAERR, "a container ends that never began");
    *first = m->marks[--m->n_marks];
    return 0;
}

int machine_create_text(struct machine *m, const uint8_t *bytes, size_t size)
{
    int value = machine_create(m, PICKLE_TEXT);

    if (value >= 0) {
        m->pickle->values[value].text.data = (const char *)bytes;
        m->pickle->values[value].text.size = size;
    }
    return value;
}
