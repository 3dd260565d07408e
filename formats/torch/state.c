/* state.c — from the values of a pickle to named tensors; see read.h. */
#include "formats/torch/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values may refer to each other in circles, and a dictionary may be in a thousand places: steps are counted. */
struct walk {
    struct torch_reader *reader;
    const struct pickle *pickle;
    size_t capacity;   /* of the tensors */
    size_t steps_left; /* entries that may still be looked at */
    struct error *err;
};

/* ---- Dictionaries: {key: value}, or one that is called with a list of pairs (Python 2) */

struct entries {
    int cell;
    bool is_pairs;
};

static bool is_mapping(const struct pickle *pickle, int value)
{
    const struct pickle_value *object = pickle_as(pickle, value, PICKLE_OBJECT);

    return pickle_as(pickle, value, PICKLE_DICT) != NULL ||
           (object != NULL && torch_role_of(pickle, object->object.callee) == TORCH_MAPPING);
}

static struct entries entries_of(const struct pickle *pickle, int mapping)
{
    const struct pickle_value *object = pickle_as(pickle, mapping, PICKLE_OBJECT);
    int pairs = object == NULL ? PICKLE_ABSENT : pickle_item(pickle, object->object.arguments, 0);

    if (pickle_as(pickle, pairs, PICKLE_LIST) != NULL)
        return (struct entries){pickle_first(pickle, pairs), true};
    return (struct entries){pickle_first(pickle, mapping), false};
}

/* 1: there is one; 0: the end; -1: too many steps. */
static int next_entry(struct walk *walk, struct entries *entries, int *key, int *value)
{
    int pair;

    if (walk->steps_left == 0)
        return error_set(walk->err, EX_DATAERR, "its dictionaries contain each other");
    walk->steps_left--;
    if (!entries->is_pairs)
        return pickle_next(walk->pickle, &entries->cell, key) && pickle_next(walk->pickle, &entries->cell, value);
    if (!pickle_next(walk->pickle, &entries->cell, &pair))
        return 0;
    *key = pickle_item(walk->pickle, pair, 0);
    *value = pickle_item(walk->pickle, pair, 1);
    return 1;
}

/* The value under a text key; PICKLE_ABSENT when there is none or `mapping` is no dictionary. */
static int find_entry(struct walk *walk, int mapping, const char *key, int *out)
{
    struct entries entries;
    int found, name, value;

    *out = PICKLE_ABSENT;
    if (!is_mapping(walk->pickle, mapping))
        return 0;
    entries = entries_of(walk->pickle, mapping);
    while ((found = next_entry(walk, &entries, &name, &value)) == 1)
        if (pickle_is_text(walk->pickle, name, key)) {
            *out = value;
            break;
        }
    return found < 0 ? -1 : 0;
}

/* ---- Names */

/* "<prefix><key>"; *name is NULL for a key that is neither text nor number. */
static int join_name(struct walk *walk, const char *prefix, int key, const char *end, char **name)
{
    const struct pickle_value *text = pickle_as(walk->pickle, key, PICKLE_TEXT);
    const struct pickle_value *number = pickle_as(walk->pickle, key, PICKLE_INTEGER);
    size_t size = strlen(prefix) + strlen(end) + 32 + (text == NULL ? 0 : text->text.size);

    *name = NULL;
    if (text == NULL && number == NULL)
        return 0;
    if (text != NULL && memchr(text->text.data, '\0', text->text.size) != NULL)
        return error_set(walk->err, EX_DATAERR, "a name with a zero byte in it");
    *name = torch_allocate(walk->reader, size, 1, walk->err);
    if (*name == NULL)
        return -1;
    if (text != NULL)
        snprintf(*name, size, "%s%.*s%s", prefix, (int)text->text.size, text->text.data, end);
    else
        snprintf(*name, size, "%s%" PRId64 "%s", prefix, number->integer, end);
    return 0;
}

/* ---- The walk */

static int walk_value(struct walk *walk, int value, const char *prefix, int depth);

static int add_tensor(struct walk *walk, const char *name, const struct tensor *tensor)
{
    struct torch_state *state = walk->reader->state;

    if (memory_grow((void **)&state->tensors, &walk->capacity, state->n, sizeof *state->tensors, "a list of tensors",
                    walk->err) != 0)
        return -1;
    state->tensors[state->n++] = (struct torch_tensor){name, *tensor};
    return 0;
}

/* A tensor under its name, or what is below. */
static int walk_entry(struct walk *walk, int key, int value, const char *prefix, int depth)
{
    struct tensor tensor;
    bool is_tensor;
    char *name;

    if (torch_rebuild(walk->reader, value, &is_tensor, &tensor, walk->err) != 0) {
        join_name(walk, prefix, key, "", &name);
        return error_in(walk->err, "tensor \"%s\"", name == NULL ? prefix : name);
    }
    if (!is_tensor && pickle_as(walk->pickle, value, PICKLE_DICT) == NULL &&
        pickle_as(walk->pickle, value, PICKLE_OBJECT) == NULL)
        return 0;
    if (join_name(walk, prefix, key, is_tensor ? "" : ".", &name) != 0)
        return -1;
    if (name == NULL)
        return 0;
    return is_tensor ? add_tensor(walk, name, &tensor) : walk_value(walk, value, name, depth + 1);
}

static int walk_mapping(struct walk *walk, int mapping, const char *prefix, int depth)
{
    struct entries entries = entries_of(walk->pickle, mapping);
    int found, key, value;

    while ((found = next_entry(walk, &entries, &key, &value)) == 1)
        if (walk_entry(walk, key, value, prefix, depth) != 0)
            return -1;
    return found;
}

/* Is the buffer among those that a module computes anew, and does not save? The set is one of protocol 4, or a call of
 * set with a list. */
static bool is_transient(struct walk *walk, int set, int name)
{
    const struct pickle_value *object = pickle_as(walk->pickle, set, PICKLE_OBJECT);
    const struct pickle_value *text = pickle_as(walk->pickle, name, PICKLE_TEXT);
    int cell =
        pickle_first(walk->pickle, object == NULL ? set : pickle_item(walk->pickle, object->object.arguments, 0));
    int item;

    while (text != NULL && walk->steps_left > 0 && pickle_next(walk->pickle, &cell, &item)) {
        const struct pickle_value *other = pickle_as(walk->pickle, item, PICKLE_TEXT);

        walk->steps_left--;
        if (other != NULL && other->text.size == text->text.size &&
            memcmp(other->text.data, text->text.data, text->text.size) == 0)
            return true;
    }
    return false;
}

static int walk_buffers(struct walk *walk, int buffers, int transient, const char *prefix, int depth)
{
    struct entries entries = entries_of(walk->pickle, buffers);
    int found, key, value;

    while ((found = next_entry(walk, &entries, &key, &value)) == 1)
        if (!is_transient(walk, transient, key) && walk_entry(walk, key, value, prefix, depth) != 0)
            return -1;
    return found;
}

/* An instance whose attributes are those of torch.nn.Module; *is_module tells. */
static int walk_module(struct walk *walk, int state, const char *prefix, int depth, bool *is_module)
{
    int parameters, buffers, modules, transient;

    if (find_entry(walk, state, "_parameters", &parameters) != 0 ||
        find_entry(walk, state, "_buffers", &buffers) != 0 || find_entry(walk, state, "_modules", &modules) != 0 ||
        find_entry(walk, state, "_non_persistent_buffers_set", &transient) != 0)
        return -1;
    *is_module =
        is_mapping(walk->pickle, parameters) && is_mapping(walk->pickle, buffers) && is_mapping(walk->pickle, modules);
    if (!*is_module)
        return 0;
    return walk_mapping(walk, parameters, prefix, depth) != 0 ||
                   walk_buffers(walk, buffers, transient, prefix, depth) != 0 ||
                   walk_mapping(walk, modules, prefix, depth) != 0
               ? -1
               : 0;
}

static int walk_value(struct walk *walk, int value, const char *prefix, int depth)
{
    const struct pickle_value *object = pickle_as(walk->pickle, value, PICKLE_OBJECT);
    bool is_module;

    if (depth > PICKLE_MAX_DEPTH)
        return error_set(walk->err, EX_DATAERR, "dictionaries are nested deeper than %d", PICKLE_MAX_DEPTH);
    if (is_mapping(walk->pickle, value))
        return walk_mapping(walk, value, prefix, depth);
    return object == NULL ? 0 : walk_module(walk, object->object.state, prefix, depth, &is_module);
}

/* ---- Where to begin */

/* Under these, checkpoints keep the state_dict beside the optimizer's and other things. */
static const char *const customary[] = {"state_dict", "model_state_dict", "model", "net", "network", "module"};
enum { N_CUSTOMARY = sizeof customary / sizeof *customary };

/* Is there anything below that could hold tensors? */
static bool is_node(const struct pickle *pickle, int value)
{
    const struct pickle_value *object = pickle_as(pickle, value, PICKLE_OBJECT);

    return is_mapping(pickle, value) || (object != NULL && is_mapping(pickle, object->object.state));
}

/* Goes one level down where a customary key leads there. 1: it did; 0: none does. */
static int descend(struct walk *walk, int *state)
{
    int inner;

    for (size_t i = 0; i < N_CUSTOMARY; i++) {
        if (find_entry(walk, *state, customary[i], &inner) != 0)
            return -1;
        if (is_node(walk->pickle, inner)) {
            *state = inner;
            return 1;
        }
    }
    return 0;
}

static int find_state(struct walk *walk, int *state)
{
    int found = 1;

    *state = walk->pickle->root;
    for (size_t depth = 0; found == 1 && depth < N_CUSTOMARY; depth++)
        found = descend(walk, state);
    return found < 0 ? -1 : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct torch_tensor *const *)a)->name, (*(const struct torch_tensor *const *)b)->name);
}

/* The index by name; two tensors of one name would leave it to chance which is meant. */
static int sort_names(struct torch_reader *reader, struct error *err)
{
    struct torch_state *state = reader->state;

    state->by_name = torch_allocate(reader, state->n, sizeof *state->by_name, err);
    if (state->by_name == NULL)
        return -1;
    for (size_t i = 0; i < state->n; i++)
        state->by_name[i] = &state->tensors[i];
    qsort(state->by_name, state->n, sizeof *state->by_name, compare_names);
    for (size_t i = 1; i < state->n; i++)
        if (compare_names(&state->by_name[i - 1], &state->by_name[i]) == 0)
            return error_set(err, EX_DATAERR, "two tensors are called \"%s\"", state->by_name[i]->name);
    return 0;
}

int torch_collect(struct torch_reader *reader, struct error *err)
{
    /* Each entry is looked at a few times: once for every customary key, once for each part of a module. */
    struct walk walk = {
        .reader = reader, .pickle = &reader->pickle, .steps_left = 64 * reader->pickle.n_items + 1024, .err = err};
    struct tensor tensor;
    char text[128];
    bool is_tensor;
    int state;

    if (torch_rebuild(reader, reader->pickle.root, &is_tensor, &tensor, err) != 0)
        return -1;
    if (find_state(&walk, &state) != 0 ||
        (is_tensor ? add_tensor(&walk, "tensor", &tensor) : walk_value(&walk, state, "", 1)) != 0)
        return -1;
    if (reader->state->n == 0)
        return error_set(err, EX_DATAERR, "it holds no named tensors: expected a state_dict or a module, found %s",
                         is_mapping(walk.pickle, state) ? "other things in its dictionary"
                                                        : pickle_describe(walk.pickle, state, text, sizeof text));
    return sort_names(reader, err);
}
