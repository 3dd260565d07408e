/* weights.c — see weights.h. */
#include "formats/torch/weights.h"

#include "formats/torch/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME_BYTES = 4096, SHOWN = 3 };

struct torch_weights {
    const char *path;
    struct torch_state *state;
    bool *is_used;               /* [state->n] */
    char prefix[MAX_NAME_BYTES]; /* what all names begin with, up to and with a dot */
};

bool torch_weights_recognise(const char *path)
{
    struct bytes file = {0};
    bool is = bytes_read(path, SIZE_MAX, &file, NULL) == 0 && torch_recognise(&file);

    bytes_free(&file);
    return is;
}

/* The names being sorted, what the first and the last one share all of them share. */
static void find_prefix(struct torch_weights *weights)
{
    const struct torch_state *state = weights->state;
    const char *first = state->by_name[0]->name, *last = state->by_name[state->n - 1]->name;
    size_t length = 0;

    for (size_t i = 0; first[i] != '\0' && first[i] == last[i] && i + 1 < sizeof weights->prefix; i++)
        if (first[i] == '.')
            length = i + 1;
    memcpy(weights->prefix, first, length);
    weights->prefix[length] = '\0';
}

struct torch_weights *torch_weights_open(const char *path, struct error *err)
{
    struct torch_weights *weights = memory_create(1, sizeof *weights, "a checkpoint", err);

    if (weights == NULL)
        return NULL;
    weights->path = path;
    weights->state = torch_read(path, err);
    if (weights->state != NULL)
        weights->is_used = memory_create(weights->state->n, sizeof *weights->is_used, "a checkpoint", err);
    if (weights->is_used == NULL) {
        torch_weights_close(weights);
        return NULL;
    }
    find_prefix(weights);
    return weights;
}

void torch_weights_close(struct torch_weights *weights)
{
    if (weights == NULL)
        return;
    torch_destroy(weights->state);
    free(weights->is_used);
    free(weights);
}

/* Behind the whole prefix, or behind its first parts only. */
static const struct torch_tensor *find_prefixed(const struct torch_weights *weights, const char *name)
{
    const struct torch_tensor *found = torch_find(weights->state, name);
    size_t length = strlen(weights->prefix);
    char joined[2 * MAX_NAME_BYTES];

    while (found == NULL && length > 0 && strlen(name) < MAX_NAME_BYTES) {
        snprintf(joined, sizeof joined, "%.*s%s", (int)length, weights->prefix, name);
        found = torch_find(weights->state, joined);
        do
            length--;
        while (length > 0 && weights->prefix[length - 1] != '.');
    }
    return found;
}

/* The name itself; or without what a wrapper for several devices puts in front, where it was wrapped when exported. */
static const struct torch_tensor *find(const struct torch_weights *weights, const char *name)
{
    static const char wrapper[] = "module.";
    const struct torch_tensor *found = find_prefixed(weights, name);

    if (found == NULL && strncmp(name, wrapper, sizeof wrapper - 1) == 0)
        found = find_prefixed(weights, name + sizeof wrapper - 1);
    return found;
}

bool torch_weights_has(const struct torch_weights *weights, const char *name)
{
    return find(weights, name) != NULL;
}

int torch_weights_read(struct torch_weights *weights, const char *name, const struct shape *shape, struct arena *arena,
                       const float **values, struct error *err)
{
    const struct torch_tensor *found = find(weights, name);
    char expected[SHAPE_TEXT_BYTES], text[SHAPE_TEXT_BYTES];
    float *copy;
    size_t n;

    if (found == NULL)
        return error_set(err, EX_DATAERR, "%s has no tensor \"%s\" among its %zu, which begin with \"%s\"",
                         weights->path, name, weights->state->n, weights->state->tensors[0].name);
    if (!shape_equal(&found->tensor.shape, shape))
        return error_set(err, EX_DATAERR, "%s: tensor \"%s\": expected shape %s, found %s", weights->path, found->name,
                         shape_text(shape, expected), shape_text(&found->tensor.shape, text));
    n = (size_t)shape_elements(shape);
    copy = arena_create_array(arena, n, sizeof *copy, err);
    if (copy == NULL)
        return -1;
    if (found->tensor.dtype == DTYPE_FLOAT32 && n > 0)
        memcpy(copy, found->tensor.data, n * sizeof *copy);
    else
        for (size_t i = 0; i < n; i++)
            copy[i] = (float)tensor_real(&found->tensor, i);
    bytes_forget(&weights->state->file, found->tensor.data, n * dtype_size(found->tensor.dtype));
    weights->is_used[found - weights->state->tensors] = true;
    *values = copy;
    return 0;
}

static bool is_batch_counter(const char *name)
{
    static const char counter[] = "num_batches_tracked";
    size_t length = strlen(name);

    return length >= sizeof counter - 1 && strcmp(name + length - (sizeof counter - 1), counter) == 0;
}

int torch_weights_finish(const struct torch_weights *weights, struct error *err)
{
    char names[512] = "";
    size_t n = 0, used = 0;

    for (size_t i = 0; i < weights->state->n; i++) {
        const char *name = weights->state->tensors[i].name;

        if (weights->is_used[i] || is_batch_counter(name))
            continue;
        if (n < SHOWN)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%.100s\"", n > 0 ? ", " : "", name);
        n++;
    }
    return n == 0 ? 0
                  : error_set(err, EX_DATAERR, "%s: %zu of its %zu tensors have no place in the network: %s%s",
                              weights->path, n, weights->state->n, names, n > SHOWN ? " ..." : "");
}
