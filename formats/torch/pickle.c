/* pickle.c — opcodes that steer the machine, name things and would call them, and the machine's loop; see pickle.h. */
#include "formats/torch/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

/* ---- Opcodes */

static int op_protocol(struct machine *m, int argument)
{
    uint64_t version;

    if (machine_take_unsigned(m, (size_t)argument, &version) != 0)
        return -1;
    return version >= 2 && version <= 4
               ? 0
               : error_set(m->err, EX_DATAERR, "expected protocol 2, 3 or 4, found %d", (int)version);
}

/* A frame only says how much could be read ahead. */
static int op_frame(struct machine *m, int argument)
{
    const uint8_t *bytes = NULL;

    return machine_take(m, (size_t)argument, &bytes);
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

/* Memo entries are numbered as they are put: an index beyond the bytes of the pickle only wants memory. */
static int put_memo(struct machine *m, uint64_t index)
{
    int value;

    if (machine_pop(m, &value) != 0)
        return -1;
    m->n_stack++;
    if (index >= m->size)
        return error_set(m->err, EX_DATAERR, "memo index %llu in a pickle of %zu bytes", (unsigned long long)index,
                         m->size);
    if (machine_grow(m, (void **)&m->memo, &m->memo_capacity, index, sizeof *m->memo) != 0)
        return -1;
    m->memo[index] = value + 1;
    m->n_memo = index >= m->n_memo ? index + 1 : m->n_memo;
    return 0;
}

static int op_put(struct machine *m, int argument)
{
    uint64_t index;

    return machine_take_unsigned(m, (size_t)argument, &index) != 0 ? -1 : put_memo(m, index);
}

static int op_memoize(struct machine *m, int argument)
{
    (void)argument;
    return put_memo(m, m->n_memo);
}

static int op_get(struct machine *m, int argument)
{
    uint64_t index;

    if (machine_take_unsigned(m, (size_t)argument, &index) != 0)
        return -1;
    if (index >= m->n_memo || m->memo[index] == 0)
        return error_set(m->err, EX_DATAERR, "memo index %llu, which nothing was put at", (unsigned long long)index);
    return machine_push(m, m->memo[index] - 1);
}

static int push_global(struct machine *m, int module, int name)
{
    int value = module < 0 || name < 0 ? -1 : machine_create(m, PICKLE_GLOBAL);

    if (value < 0)
        return -1;
    m->pickle->values[value].global.module = module;
    m->pickle->values[value].global.name = name;
    return machine_push(m, value);
}

static int take_line(struct machine *m)
{
    const uint8_t *begin = m->data + m->at, *end = memchr(begin, '\n', m->size - m->at);

    if (end == NULL)
        return error_set(m->err, EX_DATAERR, "expected the end of a line");
    m->at += (size_t)(end - begin) + 1;
    return machine_create_text(m, begin, (size_t)(end - begin));
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
    if (machine_pop(m, &name) != 0 || machine_pop(m, &module) != 0)
        return -1;
    if (pickle_as(m->pickle, module, PICKLE_TEXT) == NULL || pickle_as(m->pickle, name, PICKLE_TEXT) == NULL)
        return error_set(m->err, EX_DATAERR, "the names of a global are not texts");
    return push_global(m, module, name);
}

/* The two values on top: a callee and its arguments. */
static int push_object(struct machine *m, int callee, int arguments)
{
    int value = machine_create(m, PICKLE_OBJECT);

    if (value < 0)
        return -1;
    m->pickle->values[value].object.callee = callee;
    m->pickle->values[value].object.arguments = arguments;
    m->pickle->values[value].object.state = PICKLE_ABSENT;
    return machine_push(m, value);
}

static int pop_call(struct machine *m, int *callee, int *arguments)
{
    if (machine_pop(m, arguments) != 0 || machine_pop(m, callee) != 0)
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
    if (machine_pop(m, &state) != 0 || machine_top(m, PICKLE_OBJECT, PICKLE_OBJECT, &object) != 0)
        return -1;
    m->pickle->values[object].object.state = state;
    return 0;
}

static int op_persistent(struct machine *m, int argument)
{
    int id, value;

    (void)argument;
    if (machine_pop(m, &id) != 0 || (value = machine_create(m, PICKLE_PERSISTENT)) < 0)
        return -1;
    m->pickle->values[value].persistent = id;
    return machine_push(m, value);
}

/* ---- The machine */

static const struct opcode {
    pickle_opcode *run;
    int argument;
} opcodes[256] = {
    [0x80] = {op_protocol, 1},                /* PROTO */
    [0x95] = {op_frame, 8},                   /* FRAME */
    ['.'] = {op_stop, 0},                     /* STOP */
    ['('] = {op_mark, 0},                     /* MARK */
    ['N'] = {pickle_op_none, 0},              /* NONE */
    [0x88] = {pickle_op_bool, 1},             /* NEWTRUE */
    [0x89] = {pickle_op_bool, 0},             /* NEWFALSE */
    ['K'] = {pickle_op_unsigned, 1},          /* BININT1 */
    ['M'] = {pickle_op_unsigned, 2},          /* BININT2 */
    ['J'] = {pickle_op_signed, 4},            /* BININT */
    [0x8a] = {pickle_op_long, 1},             /* LONG1 */
    [0x8b] = {pickle_op_long, 4},             /* LONG4 */
    ['G'] = {pickle_op_real, 8},              /* BINFLOAT */
    ['U'] = {pickle_op_text, 1},              /* SHORT_BINSTRING, of Python 2 */
    ['T'] = {pickle_op_text, 4},              /* BINSTRING */
    ['C'] = {pickle_op_text, 1},              /* SHORT_BINBYTES */
    ['B'] = {pickle_op_text, 4},              /* BINBYTES */
    [0x8c] = {pickle_op_text, 1},             /* SHORT_BINUNICODE */
    ['X'] = {pickle_op_text, 4},              /* BINUNICODE */
    [')'] = {pickle_op_empty, PICKLE_TUPLE},  /* EMPTY_TUPLE */
    [']'] = {pickle_op_empty, PICKLE_LIST},   /* EMPTY_LIST */
    ['}'] = {pickle_op_empty, PICKLE_DICT},   /* EMPTY_DICT */
    [0x8f] = {pickle_op_empty, PICKLE_SET},   /* EMPTY_SET */
    [0x85] = {pickle_op_tuple, 1},            /* TUPLE1 */
    [0x86] = {pickle_op_tuple, 2},            /* TUPLE2 */
    [0x87] = {pickle_op_tuple, 3},            /* TUPLE3 */
    ['t'] = {pickle_op_gather, PICKLE_TUPLE}, /* TUPLE */
    [0x91] = {pickle_op_gather, PICKLE_SET},  /* FROZENSET */
    ['a'] = {pickle_op_append, PICKLE_LIST},  /* APPEND */
    ['s'] = {pickle_op_append, PICKLE_DICT},  /* SETITEM */
    ['e'] = {pickle_op_extend, PICKLE_LIST},  /* APPENDS */
    ['u'] = {pickle_op_extend, PICKLE_DICT},  /* SETITEMS */
    [0x90] = {pickle_op_extend, PICKLE_SET},  /* ADDITEMS */
    ['q'] = {op_put, 1},                      /* BINPUT */
    ['r'] = {op_put, 4},                      /* LONG_BINPUT */
    [0x94] = {op_memoize, 0},                 /* MEMOIZE */
    ['h'] = {op_get, 1},                      /* BINGET */
    ['j'] = {op_get, 4},                      /* LONG_BINGET */
    ['c'] = {op_global, 0},                   /* GLOBAL */
    [0x93] = {op_stack_global, 0},            /* STACK_GLOBAL */
    ['R'] = {op_call, 0},                     /* REDUCE */
    [0x81] = {op_instance, 0},                /* NEWOBJ */
    ['b'] = {op_build, 0},                    /* BUILD */
    ['Q'] = {op_persistent, 0},               /* BINPERSID */
};

static int run(struct machine *m)
{
    while (!m->has_stopped) {
        const size_t at = m->at;
        const uint8_t *byte = NULL;
        const struct opcode *opcode;

        if (machine_take(m, 1, &byte) != 0)
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
