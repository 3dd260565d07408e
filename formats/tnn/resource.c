/* resource.c — see resource.h.
 *
 * The bodies of resources differ only in what follows what, so each kind is a word of letters:
 *   n  a string nobody needs        f  the main buffer (filter, slope, scale, element)
 *   b  has_bias, an int32           c  a bias if has_bias said so       C  a bias in any case
 *   q  if the main buffer is int8: zero points and scales of the weights, in this order, or only scales
 *   s  if the main buffer is int8: scales
 *   k  a blob's zero points and scales, or only scales, and a bias that is not used
 */
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_RESOURCE_BYTES = 24, MIN_CONSTANT_BYTES = 16, COUNT_MASK = 0x1fffffff };

static const struct kind {
    const char *type;
    int32_t id; /* of the oldest files, which have no type strings */
    const char *body;
} kinds[] = {
    {"Convolution", 1, "nbfcq"},
    {"Deconvolution", 22, "nbfcq"},
    {"Convolution1D", 203, "nbfc"},
    {"InnerProduct", 19, "nfCq"},
    {"BatchNormCxx", 2, "fC"},
    {"InstBatchNormCxx", 43, "fC"},
    {"Scale", 16, "nbfc"},
    {"PReLU", 35, "nf"},
    {"Add", 38, "f"},
    {"Sub", 108, "f"},
    {"Mul", 42, "f"},
    {"Div", 175, "f"},
    {"Maximum", 137, "f"},
    {"Minimum", 140, "f"},
    {"MatMul", 105, "fs"},
    {"Const", 100, "f"},
    {"BlobScale", 600, "k"},
};

/* What is left of the file. A failed read leaves an error behind and reads zeros from then on. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool has_failed;
    const char *what; /* is being read, for messages */
    struct arena *arena;
    struct error *err;
};

static const uint8_t *take(struct reader *r, size_t size)
{
    const uint8_t *bytes = r->at;

    if (r->has_failed)
        return NULL;
    if (size > r->left) {
        error_set(r->err, EX_DATAERR, "%s: expected %zu more bytes, the file holds %zu", r->what, size, r->left);
        r->has_failed = true;
        return NULL;
    }
    r->at += size;
    r->left -= size;
    return bytes;
}

static int32_t take_int(struct reader *r)
{
    const uint8_t *bytes = take(r, 4);
    int32_t number = 0;

    if (bytes != NULL)
        memcpy(&number, bytes, sizeof number);
    return number;
}

static int fail(struct reader *r, int code, const char *why, int64_t number)
{
    if (!r->has_failed)
        error_set(r->err, code, "%s: %s (%lld)", r->what, why, (long long)number);
    r->has_failed = true;
    return -1;
}

/* A copy with a terminator; "" after a failure. */
static const char *take_string(struct reader *r)
{
    int32_t length = take_int(r);
    const uint8_t *bytes;
    char *text;

    if (length < 0)
        fail(r, EX_DATAERR, "a string has a negative length", length);
    bytes = length < 0 ? NULL : take(r, (size_t)length);
    if (bytes == NULL)
        return "";
    if (memchr(bytes, '\0', (size_t)length) != NULL) {
        fail(r, EX_DATAERR, "a string holds a zero byte, length", length);
        return "";
    }
    text = arena_create_array(r->arena, (size_t)length + 1, 1, r->err);
    if (text == NULL) {
        r->has_failed = true;
        return "";
    }
    memcpy(text, bytes, (size_t)length);
    return text;
}

static void take_raw(struct reader *r, struct tnn_raw *raw)
{
    uint32_t magic = (uint32_t)take_int(r);
    int32_t size, rank;

    *raw = (struct tnn_raw){.dtype = take_int(r)};
    size = take_int(r);
    if (r->has_failed)
        return;
    if (magic != TNN_MAGIC_V1 && magic != TNN_MAGIC_V2)
        fail(r, EX_DATAERR, "a buffer does not begin with its magic number", magic);
    if (size <= 0 || r->has_failed)
        return;
    rank = magic == TNN_MAGIC_V2 ? take_int(r) : 0;
    if (rank < 0 || rank > TENSOR_MAX_RANK) {
        fail(r, EX_DATAERR, "a buffer has a senseless number of dimensions", rank);
        return;
    }
    raw->rank = (size_t)rank;
    for (size_t i = 0; i < raw->rank; i++)
        raw->dims[i] = take_int(r);
    raw->data = take(r, (size_t)size);
    raw->size = r->has_failed ? 0 : (size_t)size;
}

/* Zero points, if they are there, then scales: the dtype of the first buffer tells. */
static void take_scales(struct reader *r, struct tnn_resource *out)
{
    take_raw(r, &out->scale);
    if (out->scale.dtype == TNN_INT8) {
        out->zero_point = out->scale;
        take_raw(r, &out->scale);
    }
}

static void take_body(struct reader *r, const char *body, struct tnn_resource *out)
{
    bool has_bias = false;

    for (; *body != '\0' && !r->has_failed; body++) {
        if (*body == 'n')
            take_string(r);
        else if (*body == 'b')
            has_bias = take_int(r) != 0;
        else if (*body == 'f')
            take_raw(r, &out->main);
        else if (*body == 'C' || (*body == 'c' && has_bias))
            take_raw(r, &out->bias);
        else if (*body == 'k' || (*body == 'q' && out->main.dtype == TNN_INT8))
            take_scales(r, out);
        else if (*body == 's' && out->main.dtype == TNN_INT8)
            take_raw(r, &out->scale);
        if (*body == 'k')
            take_raw(r, &out->bias);
    }
}

static const struct kind *find_kind(const char *type, int32_t id)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (type != NULL ? strcmp(kinds[i].type, type) == 0 : kinds[i].id == id)
            return &kinds[i];
    return NULL;
}

int32_t tnn_resource_id(const char *type)
{
    const struct kind *kind = find_kind(type, 0);

    return kind != NULL ? kind->id : -1;
}

static void take_resource(struct reader *r, bool is_oldest, struct tnn_resource *out)
{
    int32_t id = take_int(r);
    const char *type = take_string(r);
    const struct kind *kind;

    if (strncmp(type, TNN_QUANTIZED, strlen(TNN_QUANTIZED)) == 0)
        type += strlen(TNN_QUANTIZED);
    kind = find_kind(type, id);
    if (kind == NULL && is_oldest) { /* without type strings: what was read is the name */
        out->name = type;
        kind = find_kind(NULL, id);
    } else
        out->name = take_string(r);
    if (r->has_failed)
        return;
    if (kind == NULL) {
        error_set(r->err, EX_UNAVAILABLE,
                  "the resource of \"%s\" is of type \"%s\" (%d), which this importer cannot read", out->name, type,
                  id);
        r->has_failed = true;
        return;
    }
    out->type = kind->type;
    r->what = out->name;
    take_body(r, kind->body, out);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tnn_resource *)a)->name, ((const struct tnn_resource *)b)->name);
}

/* An array for n items, after a look at the bytes that would have to hold them. */
static struct tnn_resource *create_items(struct reader *r, int64_t n, size_t min_bytes)
{
    struct tnn_resource *items;

    if (n < 0 || n >= TNN_MAX_RESOURCES || (uint64_t)n * min_bytes > r->left) {
        fail(r, EX_DATAERR, "expected a number of resources that the file can hold", n);
        return NULL;
    }
    items = arena_create_array(r->arena, (size_t)n, sizeof *items, r->err);
    r->has_failed = r->has_failed || items == NULL;
    return items;
}

static void take_resources(struct reader *r, bool is_oldest, struct tnn_model *model)
{
    int64_t n = take_int(r) & COUNT_MASK;

    model->resources = create_items(r, n, MIN_RESOURCE_BYTES);
    while (model->n_resources < (size_t)n && !r->has_failed)
        take_resource(r, is_oldest, &model->resources[model->n_resources++]);
    if (r->has_failed)
        return;
    qsort(model->resources, model->n_resources, sizeof *model->resources, by_name);
    for (size_t i = 1; i < model->n_resources; i++)
        if (by_name(&model->resources[i - 1], &model->resources[i]) == 0) {
            r->what = model->resources[i].name;
            fail(r, EX_DATAERR, "two resources have this name; resources in the file", n);
            return;
        }
}

static void take_constants(struct reader *r, struct tnn_model *model)
{
    int32_t magic, n;

    r->what = "constants";
    if (r->left < 4)
        return;
    magic = take_int(r);
    n = take_int(r);
    if (!r->has_failed && (uint32_t)magic != TNN_MAGIC_V1 && (uint32_t)magic != TNN_MAGIC_V2)
        fail(r, EX_DATAERR, "expected the magic number after the last resource", (uint32_t)magic);
    if (r->has_failed)
        return;
    model->constants = create_items(r, n, MIN_CONSTANT_BYTES);
    while (model->n_constants < (size_t)n && !r->has_failed) {
        struct tnn_resource *constant = &model->constants[model->n_constants++];

        constant->type = "Const";
        constant->name = take_string(r);
        take_raw(r, &constant->main);
    }
}

int tnn_model_read(const struct bytes *file, struct arena *arena, struct tnn_model *model, struct error *err)
{
    struct reader r = {.at = file->data, .left = file->size, .what = "the header", .arena = arena, .err = err};
    uint32_t magic = 0;
    bool is_oldest;

    *model = (struct tnn_model){0};
    if (file->size >= sizeof magic)
        memcpy(&magic, file->data, sizeof magic);
    is_oldest = magic != TNN_MAGIC_V1 && magic != TNN_MAGIC_V2;
    if (!is_oldest)
        take(&r, sizeof magic);
    take_resources(&r, is_oldest, model);
    if (!r.has_failed)
        take_constants(&r, model);
    return r.has_failed ? -1 : 0;
}

const struct tnn_resource *tnn_resource_find(const struct tnn_model *model, const char *name)
{
    const struct tnn_resource key = {.name = name};

    return model->n_resources == 0
               ? NULL
               : bsearch(&key, model->resources, model->n_resources, sizeof *model->resources, by_name);
}

static const enum dtype dtypes[] = {
    [TNN_FLOAT32] = DTYPE_FLOAT32, [TNN_FLOAT16] = DTYPE_FLOAT16,   [TNN_INT8] = DTYPE_INT8,
    [TNN_INT32] = DTYPE_INT32,     [TNN_BFLOAT16] = DTYPE_BFLOAT16, [TNN_INT64] = DTYPE_INT64,
};

int64_t tnn_raw_count(const struct tnn_raw *raw)
{
    size_t size;

    if (raw->size == 0)
        return 0;
    if (raw->dtype < 0 || raw->dtype >= (int32_t)(sizeof dtypes / sizeof *dtypes))
        return -1;
    size = dtype_size(dtypes[raw->dtype]);
    return raw->size % size == 0 ? (int64_t)(raw->size / size) : -1;
}

/* Copies one element out, for the file aligns nothing. */
static struct tensor element(const struct tnn_raw *raw, size_t index, uint64_t *storage)
{
    size_t size = dtype_size(dtypes[raw->dtype]);

    memcpy(storage, raw->data + index * size, size);
    return (struct tensor){.dtype = dtypes[raw->dtype], .data = storage};
}

double tnn_raw_real(const struct tnn_raw *raw, size_t index)
{
    uint64_t storage = 0;
    struct tensor tensor = element(raw, index, &storage);

    return tensor_real(&tensor, 0);
}

int64_t tnn_raw_integer(const struct tnn_raw *raw, size_t index)
{
    uint64_t storage = 0;
    struct tensor tensor = element(raw, index, &storage);

    return tensor_integer(&tensor, 0);
}
