/* write.c — a state_dict in the legacy container; see torch.h, and container_legacy.c for the layout. */
#include "common/memory.h"
#include "formats/torch/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pickle of the magic number. */
static const uint8_t magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

struct writer {
    struct buffer file;
    int key_digits; /* keys are as wide as each other: then their order as texts, PyTorch's, is that of numbers */
    bool has_failed;
    struct error *err;
};

static void put(struct writer *w, const void *data, size_t n)
{
    w->has_failed = w->has_failed || buffer_add(&w->file, data, n, "a checkpoint", w->err) != 0;
}

/* An opcode and, behind it, `width` bytes of a little-endian number. */
static void put_opcode(struct writer *w, uint8_t opcode, uint64_t number, size_t width)
{
    put(w, &opcode, 1);
    for (size_t i = 0; i < width; i++)
        put(w, &(uint8_t){(uint8_t)(number >> 8 * i)}, 1);
}

static void put_text(struct writer *w, const char *text)
{
    put_opcode(w, 'X', strlen(text), 4);
    put(w, text, strlen(text));
}

static void put_global(struct writer *w, const char *module, const char *name)
{
    put(w, "c", 1);
    put(w, module, strlen(module));
    put(w, "\n", 1);
    put(w, name, strlen(name));
    put(w, "\n", 1);
}

/* The shortest form that the value, never negative, fits. */
static void put_integer(struct writer *w, uint64_t value)
{
    if (value < 256)
        put_opcode(w, 'K', value, 1);
    else if (value < 65536)
        put_opcode(w, 'M', value, 2);
    else if (value < INT32_MAX)
        put_opcode(w, 'J', value, 4);
    else {
        put_opcode(w, 0x8a, 8, 1);
        for (size_t i = 0; i < 8; i++)
            put(w, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
    }
}

static void put_extents(struct writer *w, const int64_t *extents, size_t n)
{
    if (n == 0)
        put(w, ")", 1);
    if (n > 3)
        put(w, "(", 1);
    for (size_t i = 0; i < n; i++)
        put_integer(w, (uint64_t)extents[i]);
    if (n > 3)
        put(w, "t", 1);
    else if (n > 0)
        put_opcode(w, (uint8_t)(0x84 + n), 0, 0); /* TUPLE1 to TUPLE3 */
}

static void put_empty_dict(struct writer *w)
{
    put_global(w, "collections", "OrderedDict");
    put(w, ")R", 2);
}

static void put_key(struct writer *w, size_t index)
{
    char key[32];

    snprintf(key, sizeof key, "%0*zu", w->key_digits, index);
    put_text(w, key);
}

/* _rebuild_tensor_v2(storage, 0, sizes, strides, False, OrderedDict()) */
static void put_tensor(struct writer *w, const struct tensor *tensor, size_t index)
{
    const uint64_t n = (uint64_t)shape_elements(&tensor->shape);
    int64_t strides[TENSOR_MAX_RANK];
    uint64_t stride = 1; /* an empty tensor's may wrap */

    for (size_t i = tensor->shape.rank; i-- > 0;) {
        strides[i] = (int64_t)stride;
        stride *= tensor->shape.dims[i] > 0 ? (uint64_t)tensor->shape.dims[i] : 1;
    }
    put_global(w, "torch._utils", "_rebuild_tensor_v2");
    put(w, "((", 2);
    put_text(w, "storage");
    put_global(w, "torch", torch_dtype_find(tensor->dtype)->storage);
    put_key(w, index);
    put_text(w, "cpu");
    put_integer(w, n);
    put(w, "NtQ", 3); /* no view of another storage */
    put_integer(w, 0);
    put_extents(w, tensor->shape.dims, tensor->shape.rank);
    put_extents(w, strides, tensor->shape.rank);
    put_opcode(w, 0x89, 0, 0); /* False */
    put_empty_dict(w);
    put(w, "tR", 2);
}

static void put_machine(struct writer *w)
{
    static const struct {
        const char *name;
        uint64_t size;
    } types[] = {{"short", 2}, {"int", 4}, {"long", 4}};

    put_opcode(w, 0x80, 2, 1);
    put(w, "}(", 2);
    put_text(w, "protocol_version");
    put_integer(w, 1001);
    put_text(w, "little_endian");
    put_opcode(w, 0x88, 0, 0); /* True */
    put_text(w, "type_sizes");
    put(w, "}(", 2);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        put_text(w, types[i].name);
        put_integer(w, types[i].size);
    }
    put(w, "uu.", 3);
}

static void put_object(struct writer *w, const struct torch_tensor *tensors, size_t n)
{
    put_opcode(w, 0x80, 2, 1);
    put_empty_dict(w);
    put(w, "(", 1);
    for (size_t i = 0; i < n; i++) {
        put_text(w, tensors[i].name);
        put_tensor(w, &tensors[i].tensor, i);
    }
    put(w, "u.", 2);
}

static void put_keys(struct writer *w, size_t n)
{
    put_opcode(w, 0x80, 2, 1);
    put(w, "](", 2);
    for (size_t i = 0; i < n; i++)
        put_key(w, i);
    put(w, "e.", 2);
}

static void put_elements(struct writer *w, const struct tensor *tensor)
{
    const uint64_t n = (uint64_t)shape_elements(&tensor->shape);

    put(w, &n, sizeof n);
    put(w, tensor->data, (size_t)n * dtype_size(tensor->dtype));
}

static int check(const struct torch_tensor *tensors, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (torch_dtype_find(tensors[i].tensor.dtype) == NULL)
            return error_set(err, EX_UNAVAILABLE, "tensor \"%s\": PyTorch has no element type %s", tensors[i].name,
                             dtype_name(tensors[i].tensor.dtype));
    return 0;
}

int torch_write_legacy(const struct torch_tensor *tensors, size_t n, struct output *output, const char *name,
                       struct error *err)
{
    struct writer w = {.key_digits = snprintf(NULL, 0, "%zu", n > 0 ? n - 1 : 0), .err = err};
    int rc;

    if (check(tensors, n, err) != 0)
        return -1;
    put(&w, magic, sizeof magic);
    put_opcode(&w, 0x80, 2, 1);
    put_opcode(&w, 'M', 1001, 2);
    put(&w, ".", 1);
    put_machine(&w);
    put_object(&w, tensors, n);
    put_keys(&w, n);
    for (size_t i = 0; i < n; i++)
        put_elements(&w, &tensors[i].tensor);
    rc = w.has_failed ? -1 : output_write(output, name, w.file.data, w.file.size, true, err);
    free(w.file.data);
    return rc;
}
