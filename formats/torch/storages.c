/* storages.c — the storages that a pickle mentions: type, key, length; see read.h. */
#include "formats/torch/read.h"

#include "formats/proto_guard.h"

#include <stdlib.h>
#include <string.h>

/* Every element type that has a storage class of its own. */
static const struct torch_dtype dtypes[] = {
    {"FloatStorage", DTYPE_FLOAT32},     {"DoubleStorage", DTYPE_FLOAT64}, {"HalfStorage", DTYPE_FLOAT16},
    {"BFloat16Storage", DTYPE_BFLOAT16}, {"LongStorage", DTYPE_INT64},     {"IntStorage", DTYPE_INT32},
    {"ShortStorage", DTYPE_INT16},       {"CharStorage", DTYPE_INT8},      {"ByteStorage", DTYPE_UINT8},
    {"BoolStorage", DTYPE_BOOL},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

const struct torch_dtype *torch_dtype_find(enum dtype dtype)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (dtypes[i].dtype == dtype)
            return &dtypes[i];
    return NULL;
}

static int class_dtype(const struct pickle *pickle, int class, enum dtype *out, struct error *err)
{
    char text[128];

    for (size_t i = 0; i < N_DTYPES; i++)
        if (pickle_is_global(pickle, class, "torch", dtypes[i].storage) ||
            pickle_is_global(pickle, class, "torch.cuda", dtypes[i].storage)) {
            *out = dtypes[i].dtype;
            return 0;
        }
    return error_set(err, EX_UNAVAILABLE, "storages of class %s are not supported",
                     pickle_describe(pickle, class, text, sizeof text));
}

/* The fields of ("storage", class, key, location, n_elements[, view]). */
enum { ID_KIND, ID_CLASS, ID_KEY, ID_LOCATION, ID_ELEMENTS, ID_VIEW };

static int read_id(const struct pickle *pickle, int id, struct torch_storage *out, struct error *err)
{
    const struct pickle_value *key = pickle_as(pickle, pickle_item(pickle, id, ID_KEY), PICKLE_TEXT);
    const struct pickle_value *n = pickle_as(pickle, pickle_item(pickle, id, ID_ELEMENTS), PICKLE_INTEGER);

    if (!pickle_is_text(pickle, pickle_item(pickle, id, ID_KIND), "storage") || key == NULL || n == NULL ||
        n->integer < 0)
        return error_set(err, EX_DATAERR, "a persistent id is none of a storage, with a class, a key and a length");
    *out =
        (struct torch_storage){.key = key->text.data, .key_size = key->text.size, .n_elements = (uint64_t)n->integer};
    return class_dtype(pickle, pickle_item(pickle, id, ID_CLASS), &out->dtype, err);
}

/* ("module", class, file, source text): a class in the clothes of a storage, in whole modules of the legacy container.
 */
static bool is_class(const struct pickle *pickle, int id)
{
    return pickle_is_text(pickle, pickle_item(pickle, id, ID_KIND), "module");
}

static int compare_keys(const void *a, const void *b)
{
    const struct torch_storage *x = a, *y = b;
    size_t n = x->key_size < y->key_size ? x->key_size : y->key_size;
    int order = n == 0 ? 0 : memcmp(x->key, y->key, n);

    return order != 0 ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

/* A storage is mentioned once a tensor that shares it, always in the same words. */
static int drop_repeated(struct torch_reader *reader, struct error *err)
{
    struct torch_storage *all = reader->storages;
    size_t kept = 0;

    for (size_t i = 0; i < reader->n_storages; i++) {
        if (kept == 0 || compare_keys(&all[kept - 1], &all[i]) != 0)
            all[kept++] = all[i];
        else if (all[kept - 1].dtype != all[i].dtype || all[kept - 1].n_elements != all[i].n_elements)
            return error_set(err, EX_DATAERR, "storage \"%.*s\": %llu elements of %s, and elsewhere %llu of %s",
                             (int)(all[i].key_size < 64 ? all[i].key_size : 64), all[i].key,
                             (unsigned long long)all[kept - 1].n_elements, dtype_name(all[kept - 1].dtype),
                             (unsigned long long)all[i].n_elements, dtype_name(all[i].dtype));
    }
    reader->n_storages = kept;
    return 0;
}

static int list_storages(struct torch_reader *reader, struct error *err)
{
    const struct pickle *pickle = &reader->pickle;
    size_t n = 0;

    for (size_t i = 0; i < pickle->n_values; i++)
        n += pickle->values[i].kind == PICKLE_PERSISTENT;
    reader->storages = torch_allocate(reader, n, sizeof *reader->storages, err);
    if (reader->storages == NULL)
        return -1;
    for (size_t i = 0; i < pickle->n_values; i++) {
        int id = pickle->values[i].persistent;

        if (pickle->values[i].kind != PICKLE_PERSISTENT || is_class(pickle, id))
            continue;
        if (read_id(pickle, id, &reader->storages[reader->n_storages++], err) != 0)
            return -1;
    }
    qsort(reader->storages, reader->n_storages, sizeof *reader->storages, compare_keys);
    return drop_repeated(reader, err);
}

int torch_read_pickle(struct torch_reader *reader, const uint8_t *data, size_t size, size_t *end, struct error *err)
{
    if (pickle_read(&reader->pickle, data, size, proto_budget(size), torch_may_call, end, err) != 0)
        return -1;
    return list_storages(reader, err);
}

struct torch_storage *torch_storage_find(const struct torch_reader *reader, const char *key, size_t key_size)
{
    const struct torch_storage wanted = {.key = key, .key_size = key_size};

    return bsearch(&wanted, reader->storages, reader->n_storages, sizeof wanted, compare_keys);
}

int torch_storage_bytes(const struct torch_storage *storage, size_t *out, struct error *err)
{
    if (size_multiply(storage->n_elements, dtype_size(storage->dtype), out))
        return 0;
    return error_set(err, EX_DATAERR, "a storage of %llu elements", (unsigned long long)storage->n_elements);
}

/* (key, offset, n_elements) within the storage. */
static int apply_view(const struct pickle *pickle, int view, struct torch_storage_view *out, struct error *err)
{
    const struct pickle_value *offset = pickle_as(pickle, pickle_item(pickle, view, 1), PICKLE_INTEGER);
    const struct pickle_value *n = pickle_as(pickle, pickle_item(pickle, view, 2), PICKLE_INTEGER);

    if (offset == NULL || n == NULL || offset->integer < 0 || n->integer < 0 ||
        (uint64_t)offset->integer > out->n_elements ||
        (uint64_t)n->integer > out->n_elements - (uint64_t)offset->integer)
        return error_set(err, EX_DATAERR, "a view of a storage does not lie within its %llu elements",
                         (unsigned long long)out->n_elements);
    out->offset = (uint64_t)offset->integer;
    out->n_elements = (uint64_t)n->integer;
    return 0;
}

int torch_storage_resolve(struct torch_reader *reader, int persistent, struct torch_storage_view *out,
                          struct error *err)
{
    const struct pickle *pickle = &reader->pickle;
    const struct pickle_value *value = pickle_as(pickle, persistent, PICKLE_PERSISTENT);
    struct torch_storage mentioned;
    int view;

    if (value == NULL || is_class(pickle, value->persistent))
        return error_set(err, EX_DATAERR, "it is rebuilt from something that is no storage");
    if (read_id(pickle, value->persistent, &mentioned, err) != 0)
        return -1;
    out->storage = torch_storage_find(reader, mentioned.key, mentioned.key_size);
    out->offset = 0;
    out->n_elements = mentioned.n_elements;
    view = pickle_item(pickle, value->persistent, ID_VIEW);
    return view < 0 || pickle_as(pickle, view, PICKLE_NONE) != NULL ? 0 : apply_view(pickle, view, out, err);
}
