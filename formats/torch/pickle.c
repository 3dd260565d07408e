/* pickle.c — the stack machine; see pickle.h. */
#include "formats/torch/pickle.h"

#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine {
    struct pickle *pickle;
    const uint8_t *data;
    size_t size, at; /* at: the next byte to read */
    int *stack;
    size_t n_stack, stack_capacity;
    size_t marks[PICKLE_MAX_DEPTH]; /* heights of the stack where containers were begun */
    size_t n_marks;
    int *memo; /* value + 1; 0: nothing was put there */
    size_t n_memo, memo_capacity;
    size_t allocated, budget; /* bytes */
    pickle_may_call *may_call;
    bool has_stopped;
    struct error *err;
};

/* ---- Memory and bytes */

/* Makes array[count] valid, within the budget. */
static int grow(struct machine *m, void **array, size_t *capacity, size_t count, size_t size)
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

static int take(struct machine *m, size_t n, const uint8_t **bytes)
{
    if (n > m->size - m->at)
        return error_set(m->err, EX_DATAERR, "expected %zu bytes more, found %zu", n, m->size - m->at);
    *bytes = m->data + m->at;
    m->at += n;
    return 0;
}

/* An unsigned little-endian number of `width` bytes, at most 8. */
static int take_unsigned(struct machine *m, size_t width, uint64_t *out)
{
    const uint8_t *bytes = NULL;

    if (take(m, width, &bytes) != 0)
        return -1;
    *out = 0;
    for (size_t i = 0; i < width; i++)
        *out |= (uint64_t)bytes[i] << 8 * i;
    return 0;
}

/* ---- Values */

/* A new value with no items; -1 on failure. */
static int create(struct machine *m, enum pickle_kind kind)
{
    struct pickle *p = m->pickle;

    if (p->n_values >= INT32_MAX)
        return error_set(m->err, EX_DATAERR, "more than 2^31 values");
    if (grow(m, (void **)&p->values, &p->values_capacity, p->n_values, sizeof *p->values) != 0)
        return -1;
    p->values[p->n_values] = (struct pickle_value){.kind = kind, .first = PICKLE_ABSENT, .last = PICKLE_ABSENT};
    return (int)p->n_values++;
}

static int add_item(struct machine *m, int container, int item)
{
    struct pickle *p = m->pickle;
    struct pickle_value *value = &p->values[container];
    int cell = (int)p->n_items;

    if (p->n_items >= INT32_MAX)
        return error_set(m->err, EX_DATAERR, "more than 2^31 items");
    if (grow(m, (void **)&p->items, &p->items_capacity, p->n_items, sizeof *p->items) != 0)
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

static int push(struct machine *m, int value)
{
    if (value < 0 || grow(m, (void **)&m->stack, &m->stack_capacity, m->n_stack, sizeof *m->stack) != 0)
        return -1;
    m->stack[m->n_stack++] = value;
    return 0;
}

/* The lowest position that may be taken: what lies below belongs to a container begun earlier. */
static size_t stack_floor(const struct machine *m)
{
    return m->n_marks > 0 ? m->marks[m->n_marks - 1] : 0;
}

static int pop(struct machine *m, int *value)
{
    if (m->n_stack <= stack_floor(m))
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    *value = m->stack[--m->n_stack];
    return 0;
}

/* The value on top, which stays there; of `kind`, or of `other`. */
static int top(struct machine *m, enum pickle_kind kind, enum pickle_kind other, int *value)
{
    if (pop(m, value) != 0)
        return -1;
    m->n_stack++;
    if (m->pickle->values[*value].kind != kind && m->pickle->values[*value].kind != other)
        return error_set(m->err, EX_DATAERR, "the value on the stack is not what this opcode works on");
    return 0;
}

/* Ends the container begun last: its items are stack[*first .. n_stack), for the caller to drop. */
static int pop_mark(struct machine *m, size_t *first)
{
    if (m->n_marks == 0)
        return error_set(m->err, EX_DATAERR, "a container ends that never began");
    *first = m->marks[--m->n_marks];
    return 0;
}

/* ---- Opcodes. `argument` is the width of a number or the number of items, see the table */

static int op_protocol(struct machine *m, int argument)
{
    uint64_t version;

    if (take_unsigned(m, (size_t)argument, &version) != 0)
        return -1;
    return version >= 2 && version <= 4
               ? 0
               : error_set(m->err, EX_DATAERR, "expected protocol 2, 3 or 4, found %d", (int)version);
}

/* A frame only says how much could be read ahead. */
static int op_frame(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;

    return take(m, (size_t)argument, &bytes);
}

static int op_stop(struct machine *m, int argument)
{
    (void)argument;
    if (m->n_marks > 0 || m->n_stack != 1)
        return error_set(m->err, EX_DATAERR, "it stops with %zu values on the stack, expected one", m->n_stack);
    m->pickle->root = m->stack[0];
    m->has_stopped = true;
    return 0;
}

static int op_mark(struct machine *m, int argument)
{
    (void)argument;
    if (m->n_marks == PICKLE_MAX_DEPTH)
        return error_set(m->err, EX_DATAERR, "containers are nested deeper than %d", PICKLE_MAX_DEPTH);
    m->marks[m->n_marks++] = m->n_stack;
    return 0;
}

static int op_none(struct machine *m, int argument)
{
    (void)argument;
    return push(m, create(m, PICKLE_NONE));
}

static int op_bool(struct machine *m, int argument)
{
    int value = create(m, PICKLE_BOOL);

    if (value >= 0)
        m->pickle->values[value].integer = argument;
    return push(m, value);
}

/* A number of `width` bytes, at most 8, in two's complement where is_signed. */
static int push_integer(struct machine *m, size_t width, bool is_signed)
{
    int shift = 64 - 8 * (int)width, value;
    uint64_t bits;

    if (take_unsigned(m, width, &bits) != 0 || (value = create(m, PICKLE_INTEGER)) < 0)
        return -1;
    if (is_signed && width > 0) /* the sign bit up to bit 63, and down again */
        m->pickle->values[value].integer = (int64_t)(bits << shift) >> shift;
    else
        m->pickle->values[value].integer = (int64_t)bits;
    return push(m, value);
}

static int op_unsigned(struct machine *m, int argument)
{
    return push_integer(m, (size_t)argument, false);
}

static int op_signed(struct machine *m, int argument)
{
    return push_integer(m, (size_t)argument, true);
}

/* An integer behind its length. */
static int op_long(struct machine *m, int argument)
{
    uint64_t width;

    if (take_unsigned(m, (size_t)argument, &width) != 0)
        return -1;
    if (width > 8)
        return error_set(m->err, EX_DATAERR, "an integer of %llu bytes, expected at most 8", (unsigned long long)width);
    return push_integer(m, (size_t)width, true);
}

/* Big-endian, unlike everything else. */
static int op_real(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;
    uint64_t bits = 0;
    int value;

    if (take(m, (size_t)argument, &bytes) != 0 || (value = create(m, PICKLE_REAL)) < 0)
        return -1;
    for (int i = 0; i < argument; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&m->pickle->values[value].real, &bits, sizeof bits);
    return push(m, value);
}

static int create_text(struct machine *m, const uint8_t *bytes, size_t size)
{
    int value = create(m, PICKLE_TEXT);

    if (value >= 0) {
        m->pickle->values[value].text.data = (const char *)bytes;
        m->pickle->values[value].text.size = size;
    }
    return value;
}

/* A text behind its length. */
static int op_text(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;
    uint64_t length;

    if (take_unsigned(m, (size_t)argument, &length) != 0 || take(m, length, &bytes) != 0)
        return -1;
    return push(m, create_text(m, bytes, length));
}

static int op_empty(struct machine *m, int argument)
{
    return push(m, create(m, (enum pickle_kind)argument));
}

/* A container of what lies on the stack from `first` on. */
static int gather(struct machine *m, enum pickle_kind kind, size_t first)
{
    int value = create(m, kind);

    for (size_t i = first; value >= 0 && i < m->n_stack; i++)
        if (add_item(m, value, m->stack[i]) != 0)
            return -1;
    m->n_stack = first;
    return push(m, value);
}

static int op_tuple(struct machine *m, int argument)
{
    if (m->n_stack - stack_floor(m) < (size_t)argument)
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    return gather(m, PICKLE_TUPLE, m->n_stack - (size_t)argument);
}

static int op_gather(struct machine *m, int argument)
{
    size_t first = 0;

    return pop_mark(m, &first) != 0 ? -1 : gather(m, (enum pickle_kind)argument, first);
}

/* Moves stack[first..n_stack) into the container of that kind, or object, below them. */
static int move_items(struct machine *m, enum pickle_kind kind, size_t first)
{
    size_t n = m->n_stack, multiple = kind == PICKLE_DICT ? 2 : 1;
    int container;

    if ((n - first) % multiple != 0)
        return error_set(m->err, EX_DATAERR, "a key without a value");
    m->n_stack = first;
    if (top(m, kind, PICKLE_OBJECT, &container) != 0)
        return -1;
    for (size_t i = first; i < n; i++)
        if (add_item(m, container, m->stack[i]) != 0)
            return -1;
    return 0;
}

static int op_append(struct machine *m, int argument)
{
    size_t n = argument == PICKLE_DICT ? 2 : 1;

    if (m->n_stack - stack_floor(m) < n)
        return error_set(m->err, EX_DATAERR, "the stack is empty");
    return move_items(m, (enum pickle_kind)argument, m->n_stack - n);
}

static int op_extend(struct machine *m, int argument)
{
    size_t first = 0;

    return pop_mark(m, &first) != 0 ? -1 : move_items(m, (enum pickle_kind)argument, first);
}

/* Memo entries are numbered as they are put: an index beyond the bytes of the pickle only wants memory. */
static int put_memo(struct machine *m, uint64_t index)
{
    int value;

    if (pop(m, &value) != 0)
        return -1;
    m->n_stack++;
    if (index >= m->size)
        return error_set(m->err, EX_DATAERR, "memo index %llu in a pickle of %zu bytes", (unsigned long long)index,
                         m->size);
    if (grow(m, (void **)&m->memo, &m->memo_capacity, index, sizeof *m->memo) != 0)
        return -1;
    m->memo[index] = value + 1;
    m->n_memo = index >= m->n_memo ? index + 1 : m->n_memo;
    return 0;
}

static int op_put(struct machine *m, int argument)
{
    uint64_t index;

    return take_unsigned(m, (size_t)argument, &index) != 0 ? -1 : put_memo(m, index);
}

static int op_memoize(struct machine *m, int argument)
{
    (void)argument;
    return put_memo(m, m->n_memo);
}

static int op_get(struct machine *m, int argument)
{
    uint64_t index;

    if (take_unsigned(m, (size_t)argument, &index) != 0)
        return -1;
    if (index >= m->n_memo || m->memo[index] == 0)
        return error_set(m->err, EX_DATAERR, "memo index %llu, which nothing was put at", (unsigned long long)index);
    return push(m, m->memo[index] - 1);
}

static int push_global(struct machine *m, int module, int name)
{
    int value = module < 0 || name < 0 ? -1 : create(m, PICKLE_GLOBAL);

    if (value < 0)
        return -1;
    m->pickle->values[value].global.module = module;
    m->pickle->values[value].global.name = name;
    return push(m, value);
}

static int take_line(struct machine *m)
{
    const uint8_t *begin = m->data + m->at, *end = memchr(begin, '\n', m->size - m->at);

    if (end == NULL)
        return error_set(m->err, EX_DATAERR, "expected the end of a line");
    m->at += (size_t)(end - begin) + 1;
    return create_text(m, begin, (size_t)(end - begin));
}

static int op_global(struct machine *m, int argument)
{
    int module = take_line(m);

    (void)argument;
    return module < 0 ? -1 : push_global(m, module, take_line(m));
}

static int op_stack_global(struct machine *m, int argument)
{
    int module, name;

    (void)argument;
    if (pop(m, &name) != 0 || pop(m, &module) != 0)
        return -1;
    if (pickle_as(m->pickle, module, PICKLE_TEXT) == NULL || pickle_as(m->pickle, name, PICKLE_TEXT) == NULL)
        return error_set(m->err, EX_DATAERR, "the names of a global are not texts");
    return push_global(m, module, name);
}

/* The two values on top: a callee and its arguments. */
static int push_object(struct machine *m, int callee, int arguments)
{
    int value = create(m, PICKLE_OBJECT);

    if (value < 0)
        return -1;
    m->pickle->values[value].object.callee = callee;
    m->pickle->values[value].object.arguments = arguments;
    m->pickle->values[value].object.state = PICKLE_ABSENT;
    return push(m, value);
}

static int pop_call(struct machine *m, int *callee, int *arguments)
{
    if (pop(m, arguments) != 0 || pop(m, callee) != 0)
        return -1;
    return pickle_as(m->pickle, *arguments, PICKLE_TUPLE) != NULL
               ? 0
               : error_set(m->err, EX_DATAERR, "the arguments of a call are no tuple");
}

static int op_call(struct machine *m, int argument)
{
    int callee, arguments;
    char text[128];

    (void)argument;
    if (pop_call(m, &callee, &arguments) != 0)
        return -1;
    if (pickle_as(m->pickle, callee, PICKLE_GLOBAL) == NULL || !m->may_call(m->pickle, callee))
        return error_set(m->err, EX_DATAERR, "it wants to call %s, which is none of the functions that rebuild tensors",
                         pickle_describe(m->pickle, callee, text, sizeof text));
    return push_object(m, callee, arguments);
}

/* An instance of a class, made without calling anything of ours or theirs: any class will do. */
static int op_instance(struct machine *m, int argument)
{
    int callee, arguments;

    (void)argument;
    if (pop_call(m, &callee, &arguments) != 0)
        return -1;
    if (pickle_as(m->pickle, callee, PICKLE_GLOBAL) == NULL && pickle_as(m->pickle, callee, PICKLE_PERSISTENT) == NULL)
        return error_set(m->err, EX_DATAERR, "an instance of something that is no class");
    return push_object(m, callee, arguments);
}

static int op_build(struct machine *m, int argument)
{
    int state, object;

    (void)argument;
    if (pop(m, &state) != 0 || top(m, PICKLE_OBJECT, PICKLE_OBJECT, &object) != 0)
        return -1;
    m->pickle->values[object].object.state = state;
    return 0;
}

static int op_persistent(struct machine *m, int argument)
{
    int id, value;

    (void)argument;
    if (pop(m, &id) != 0 || (value = create(m, PICKLE_PERSISTENT)) < 0)
        return -1;
    m->pickle->values[value].persistent = id;
    return push(m, value);
}

/* ---- The machine */

static const struct opcode {
    int (*run)(struct machine *m, int argument);
    int argument;
} opcodes[256] = {
    [0x80] = {op_protocol, 1},         /* PROTO */
    [0x95] = {op_frame, 8},            /* FRAME */
    ['.'] = {op_stop, 0},              /* STOP */
    ['('] = {op_mark, 0},              /* MARK */
    ['N'] = {op_none, 0},              /* NONE */
    [0x88] = {op_bool, 1},             /* NEWTRUE */
    [0x89] = {op_bool, 0},             /* NEWFALSE */
    ['K'] = {op_unsigned, 1},          /* BININT1 */
    ['M'] = {op_unsigned, 2},          /* BININT2 */
    ['J'] = {op_signed, 4},            /* BININT */
    [0x8a] = {op_long, 1},             /* LONG1 */
    [0x8b] = {op_long, 4},             /* LONG4 */
    ['G'] = {op_real, 8},              /* BINFLOAT */
    ['U'] = {op_text, 1},              /* SHORT_BINSTRING, of Python 2 */
    ['T'] = {op_text, 4},              /* BINSTRING */
    ['C'] = {op_text, 1},              /* SHORT_BINBYTES */
    ['B'] = {op_text, 4},              /* BINBYTES */
    [0x8c] = {op_text, 1},             /* SHORT_BINUNICODE */
    ['X'] = {op_text, 4},              /* BINUNICODE */
    [')'] = {op_empty, PICKLE_TUPLE},  /* EMPTY_TUPLE */
    [']'] = {op_empty, PICKLE_LIST},   /* EMPTY_LIST */
    ['}'] = {op_empty, PICKLE_DICT},   /* EMPTY_DICT */
    [0x8f] = {op_empty, PICKLE_SET},   /* EMPTY_SET */
    [0x85] = {op_tuple, 1},            /* TUPLE1 */
    [0x86] = {op_tuple, 2},            /* TUPLE2 */
    [0x87] = {op_tuple, 3},            /* TUPLE3 */
    ['t'] = {op_gather, PICKLE_TUPLE}, /* TUPLE */
    [0x91] = {op_gather, PICKLE_SET},  /* FROZENSET */
    ['a'] = {op_append, PICKLE_LIST},  /* APPEND */
    ['s'] = {op_append, PICKLE_DICT},  /* SETITEM */
    ['e'] = {op_extend, PICKLE_LIST},  /* APPENDS */
    ['u'] = {op_extend, PICKLE_DICT},  /* SETITEMS */
    [0x90] = {op_extend, PICKLE_SET},  /* ADDITEMS */
    ['q'] = {op_put, 1},               /* BINPUT */
    ['r'] = {op_put, 4},               /* LONG_BINPUT */
    [0x94] = {op_memoize, 0},          /* MEMOIZE */
    ['h'] = {op_get, 1},               /* BINGET */
    ['j'] = {op_get, 4},               /* LONG_BINGET */
    ['c'] = {op_global, 0},            /* GLOBAL */
    [0x93] = {op_stack_global, 0},     /* STACK_GLOBAL */
    ['R'] = {op_call, 0},              /* REDUCE */
    [0x81] = {op_instance, 0},         /* NEWOBJ */
    ['b'] = {op_build, 0},             /* BUILD */
    ['Q'] = {op_persistent, 0},        /* BINPERSID */
};

static int run(struct machine *m)
{
    while (!m->has_stopped) {
        const size_t at = m->at;
        const uint8_t *byte = NULL;
        const struct opcode *opcode;

        if (take(m, 1, &byte) != 0)
            return error_in(m->err, "byte %zu of the pickle", at);
        opcode = &opcodes[*byte];
        if (opcode->run == NULL)
            return error_set(m->err, EX_DATAERR, "byte %zu of the pickle: opcode 0x%02x is none that checkpoints need",
                             at, *byte);
        if (opcode->run(m, opcode->argument) != 0)
            return error_in(m->err, "byte %zu of the pickle", at);
    }
    return 0;
}

int pickle_read(struct pickle *pickle, const uint8_t *data, size_t size, size_t budget, pickle_may_call *may_call,
                size_t *end, struct error *err)
{
    struct machine m = {
        .pickle = pickle, .data = data, .size = size, .budget = budget, .may_call = may_call, .err = err};
    int rc;

    *pickle = (struct pickle){.root = PICKLE_ABSENT};
    rc = run(&m);
    if (rc == 0)
        *end = m.at;
    free(m.stack);
    free(m.memo);
    return rc;
}

void pickle_fini(struct pickle *pickle)
{
    free(pickle->values);
    free(pickle->items);
    *pickle = (struct pickle){.root = PICKLE_ABSENT};
}
