/* read.c — a checkpoint from its file; see torch.h. */
#include "formats/torch/read.h"

#include "formats/proto_guard.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 0x7fffffff }; /* of a checkpoint, 2 GiB: as for the models that it belongs to */

static bool is_zip(const struct bytes *file)
{
    return file->size >= 4 && memcmp(file->data, "PK\3\4", 4) == 0;
}

bool torch_recognise(const struct bytes *file)
{
    return is_zip(file) || torch_legacy_magic(file) > 0;
}

void *torch_allocate(struct torch_reader *reader, size_t n, size_t size, struct error *err)
{
    size_t bytes;

    if (!size_multiply(n, size, &bytes) || bytes > reader->left) {
        error_set(err, EX_DATAERR, "its contents would take more than 64 times the size of the file");
        return NULL;
    }
    reader->left -= bytes;
    return arena_create_array(reader->state->arena, n, size, err);
}

static int read_file(struct torch_state *state, struct error *err)
{
    struct torch_reader reader = {.state = state, .left = proto_budget(state->file.size)};
    int rc;

    if (!torch_recognise(&state->file))
        return error_set(err, EX_DATAERR,
                         "no PyTorch checkpoint: expected a zip archive or the magic number of older versions");
    rc = is_zip(&state->file) ? torch_zip_read(&reader, err) : torch_legacy_read(&reader, err);
    if (rc == 0)
        rc = torch_collect(&reader, err);
    pickle_fini(&reader.pickle);
    return rc;
}

struct torch_state *torch_read(const char *path, struct error *err)
{
    struct torch_state *state = memory_create(1, sizeof *state, "a checkpoint", err);

    if (state == NULL)
        return NULL;
    state->arena = arena_create(err);
    if (state->arena == NULL || bytes_read(path, MAX_BYTES, &state->file, err) != 0) {
        torch_destroy(state);
        return NULL; /* the message starts with the path */
    }
    if (read_file(state, err) == 0)
        return state;
    error_in(err, "%s", path);
    torch_destroy(state);
    return NULL;
}

void torch_destroy(struct torch_state *state)
{
    if (state == NULL)
        return;
    free(state->tensors);
    arena_destroy(state->arena);
    bytes_free(&state->file);
    free(state);
}

static int compare_name(const void *name, const void *tensor)
{
    return strcmp(name, (*(const struct torch_tensor *const *)tensor)->name);
}

const struct torch_tensor *torch_find(const struct torch_state *state, const char *name)
{
    const struct torch_tensor **found = bsearch(name, state->by_name, state->n, sizeof *state->by_name, compare_name);

    return found == NULL ? NULL : *found;
}
