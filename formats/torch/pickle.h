/* pickle.h — a Python pickle read as data: nothing is imported, nothing is called.
 *
 * A pickle is a program for a stack machine that may name any function of Python and have it called. This machine knows
 * the opcodes that checkpoints consist of and builds inert values from them: a function is two names, a call an object
 * that remembers whose call it would have been and with what. What they mean is the reader's business (rebuild.c).
 *
 * Values may refer to each other in any way, in circles too: who walks them counts.
 *
 * Source: the opcodes as Python's own pickletools describes them (protocols 2 to 4).
 */
#ifndef ETALON_TORCH_PICKLE_H
#define ETALON_TORCH_PICKLE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Containers begun and not yet finished: a whole module takes two a level. */
enum { PICKLE_MAX_DEPTH = 64 };

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,       /* integer */
    PICKLE_INTEGER,    /* integer */
    PICKLE_REAL,       /* real */
    PICKLE_TEXT,       /* text, size bytes; bytes objects too */
    PICKLE_TUPLE,      /* items */
    PICKLE_LIST,       /* items */
    PICKLE_SET,        /* items */
    PICKLE_DICT,       /* items: key, value, key, value ... */
    PICKLE_GLOBAL,     /* global: a name, never looked up */
    PICKLE_PERSISTENT, /* persistent: what the pickle leaves to its container, a storage */
    PICKLE_OBJECT,     /* object: a call or an instance; items: what was put into it */
};

enum { PICKLE_ABSENT = -1 }; /* "no value"; values are named by their index */

struct pickle_value {
    enum pickle_kind kind;
    uint32_t n_items;
    int first, last; /* private: the chain of items */
    union {
        int64_t integer;
        double real;
        struct {
            const char *data; /* borrowed from the pickle's bytes, not terminated */
            size_t size;
        } text;
        struct {
            int module, name; /* texts */
        } global;
        int persistent; /* any value */
        struct {
            /* arguments: a tuple; state: what BUILD gave to it, or PICKLE_ABSENT */
            int callee, arguments, state;
        } object;
    };
};

struct pickle {
    struct pickle_value *values;
    int root;
    size_t n_values, values_capacity;
    /* private: the chains of items */
    struct pickle_item {
        int value, next;
    } * items;
    size_t n_items, items_capacity;
};

/* May a function of this name be the callee of a call? Only asked, never called. */
typedef bool pickle_may_call(const struct pickle *pickle, int global);

/* Reads one pickle from the beginning of data[0..size), which must outlive it; *end is where it stops. EX_DATAERR names
 * the byte: truncated, an opcode that checkpoints do not need, a call that may_call refuses, nesting, more memory than
 * `budget` bytes. Free with pickle_fini in either case. */
int pickle_read(struct pickle *pickle, const uint8_t *data, size_t size, size_t budget, pickle_may_call *may_call,
                size_t *end, struct error *err);
void pickle_fini(struct pickle *pickle);

/* Items in order: for (cell = pickle_first(p, v); pickle_next(p, &cell, &item);). */
int pickle_first(const struct pickle *pickle, int value);
bool pickle_next(const struct pickle *pickle, int *cell, int *item);
/* Item `n` of a tuple or list; PICKLE_ABSENT where there are fewer, or `value` is something else or absent. */
int pickle_item(const struct pickle *pickle, int value, size_t n);

/* The value, or NULL when it is absent or of another kind. */
const struct pickle_value *pickle_as(const struct pickle *pickle, int value, enum pickle_kind kind);
/* Is it this text? Is it this global? */
bool pickle_is_text(const struct pickle *pickle, int value, const char *text);
bool pickle_is_global(const struct pickle *pickle, int value, const char *module, const char *name);
/* "module.name" of a global or of an object's class, cut to fit; "something" of anything else. Returns `buffer`. */
const char *pickle_describe(const struct pickle *pickle, int value, char *buffer, size_t size);

#endif
