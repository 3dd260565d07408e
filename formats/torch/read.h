/* read.h — what the files of the checkpoint reader share with each other, and with nobody else.
 *
 * The walk: read.c sees which container a file is; container_zip.c or container_legacy.c reads its pickle and finds the
 * bytes of every storage that the pickle mentions (storages.c); state.c walks through the pickle's values and names the
 * tensors, which rebuild.c makes of storages.
 *
 * Functions return 0, or -1 with err set; read.c puts the path in front.
 */
#ifndef ETALON_TORCH_READ_H
#define ETALON_TORCH_READ_H

#include "common/memory.h"
#include "formats/torch/pickle.h"
#include "formats/torch/torch.h"

/* A run of numbers of one type; tensors are views of it. */
struct torch_storage {
    const char *key; /* borrowed from the pickle */
    size_t key_size;
    enum dtype dtype;
    uint64_t n_elements;
    const uint8_t *data; /* not aligned; NULL until the container has found it */
};

struct torch_reader {
    struct torch_state *state;
    struct pickle pickle;
    struct torch_storage *storages; /* sorted by key */
    size_t n_storages;
    size_t left; /* bytes that may still be allocated: a small file must not unfold into a large one */
};

/* Memory that lives as long as the state; counts against `left`. */
void *torch_allocate(struct torch_reader *reader, size_t n, size_t size, struct error *err);

/* --- container_zip.c, container_legacy.c: fill pickle and storages --- */
int torch_zip_read(struct torch_reader *reader, struct error *err);
int torch_legacy_read(struct torch_reader *reader, struct error *err);
size_t torch_legacy_magic(const struct bytes *file); /* bytes of the pickle with the magic number; 0: there is none */

/* --- storages.c --- */

/* The one or two names of each element type in a pickle, e.g. FloatStorage. */
struct torch_dtype {
    const char *storage; /* class in the module torch */
    enum dtype dtype;
};
const struct torch_dtype *torch_dtype_find(enum dtype dtype); /* NULL: PyTorch has none */

/* Reads the pickle at data[0..size) into the reader, and lists the storages that it mentions. */
int torch_read_pickle(struct torch_reader *reader, const uint8_t *data, size_t size, size_t *end, struct error *err);
/* What the persistent id of a storage says, checked against the list. */
struct torch_storage_view {
    const struct torch_storage *storage;
    uint64_t offset, n_elements; /* the part that is meant: in the legacy container a storage may be part of another */
};
int torch_storage_resolve(struct torch_reader *reader, int persistent, struct torch_storage_view *out,
                          struct error *err);
struct torch_storage *torch_storage_find(const struct torch_reader *reader, const char *key, size_t key_size);
/* n_elements x the element's size; EX_DATAERR when that overflows. */
int torch_storage_bytes(const struct torch_storage *storage, size_t *out, struct error *err);

/* --- rebuild.c --- */

/* What a function or class is to us. */
enum torch_role {
    TORCH_UNKNOWN,
    TORCH_TENSOR,    /* (storage, offset, sizes, strides ...) */
    TORCH_PARAMETER, /* (tensor ...) */
    TORCH_TYPED,     /* (function, type, its arguments ...): a tensor of a derived class */
    TORCH_MAPPING,   /* a dictionary under another name */
    TORCH_PLAIN,     /* may be called, and holds no tensors */
};
enum torch_role torch_role_of(const struct pickle *pickle, int global);
bool torch_may_call(const struct pickle *pickle, int global);

/* The tensor behind a value, contiguous; *is_tensor is false, and *out untouched, when it is none. */
int torch_rebuild(struct torch_reader *reader, int value, bool *is_tensor, struct tensor *out, struct error *err);

/* --- state.c --- */
int torch_collect(struct torch_reader *reader, struct error *err);

#endif
