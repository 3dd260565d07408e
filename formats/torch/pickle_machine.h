/* pickle_machine.h — the stack machine that a pickle is a program for; what its opcodes are made of. Private to the
 * pickle files.
 *
 * All functions return -1 with m->err set where they fail: EX_DATAERR, EX_OSERR.
 */
#ifndef ETALON_TORCH_PICKLE_MACHINE_H
#define ETALON_TORCH_PICKLE_MACHINE_H

#include "formats/torch/pickle.h"

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
int machine_grow(struct machine *m, void **array, size_t *capacity, size_t count, size_t size);
/* The next n bytes of the pickle, borrowed. */
int machine_take(struct machine *m, size_t n, const uint8_t **bytes);
/* An unsigned little-endian number of `width` bytes, at most 8. */
int machine_take_unsigned(struct machine *m, size_t width, uint64_t *out);

/* ---- Values */

/* A new value with no items; a text of bytes[0..size), which stay the pickle's. Its index, or -1. */
int machine_create(struct machine *m, enum pickle_kind kind);
int machine_create_text(struct machine *m, const uint8_t *bytes, size_t size);
int machine_add_item(struct machine *m, int container, int item);

/* ---- The stack */

/* A value below 0 is a failure from before: it is passed on. */
int machine_push(struct machine *m, int value);
int machine_pop(struct machine *m, int *value);
/* The value on top, which stays there; of `kind`, or of `other`. */
int machine_top(struct machine *m, enum pickle_kind kind, enum pickle_kind other, int *value);
/* The lowest position that may be taken: what lies below belongs to a container begun earlier. */
size_t machine_floor(const struct machine *m);
/* Ends the container begun last: its items are stack[*first .. n_stack), for the caller to drop. */
int machine_pop_mark(struct machine *m, size_t *first);

/* ---- Opcodes; `argument` is the width of a number or the number of items, see the table in pickle.c */

typedef int pickle_opcode(struct machine *m, int argument);
/* pickle_literals.c: values that the pickle spells out, and containers of them. */
pickle_opcode pickle_op_none, pickle_op_bool, pickle_op_unsigned, pickle_op_signed, pickle_op_long, pickle_op_real,
    pickle_op_text, pickle_op_empty, pickle_op_tuple, pickle_op_gather, pickle_op_append, pickle_op_extend;

#endif
