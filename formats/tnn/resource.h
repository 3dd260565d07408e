/* resource.h — the binary half of a TNN model: weights and scales, by the name of their layer or blob.
 */
#ifndef ETALON_TNN_RESOURCE_H
#define ETALON_TNN_RESOURCE_H

#include "common/bytes.h"
#include "common/memory.h"
#include "common/tensor.h"

/* One buffer of the file; the bytes are borrowed from it, unaligned, little-endian. */
struct tnn_raw {
    int32_t dtype; /* enum tnn_dtype, unchecked */
    size_t size;   /* bytes; 0: there is none */
    const uint8_t *data;
    size_t rank; /* 0: the file does not say (v1, and what TNN's quantization tool made) */
    int64_t dims[TENSOR_MAX_RANK];
};

struct tnn_resource {
    const char *name; /* of the layer; of the blob with TNN_SCALE_SUFFIX; of the constant */
    const char *type; /* "Convolution", "BlobScale", "Const" ... */
    struct tnn_raw main, bias;
    struct tnn_raw zero_point, scale; /* of int8 weights; a BlobScale has no main */
};

struct tnn_model {
    struct tnn_resource *resources; /* sorted by name */
    size_t n_resources;
    struct tnn_resource *constants; /* blobs without a layer; main holds their value */
    size_t n_constants;
};

/* Reads all of it into `arena`. EX_DATAERR; EX_UNAVAILABLE naming a type of resource that is not known. */
int tnn_model_read(const struct bytes *file, struct arena *arena, struct tnn_model *model, struct error *err);
const struct tnn_resource *tnn_resource_find(const struct tnn_model *model, const char *name); /* NULL when absent */

/* The number that goes with a type of resource in the file; -1 when it is not known. */
int32_t tnn_resource_id(const char *type);

/* Number of elements; -1 when the dtype is unknown, or the bytes are no multiple of it. */
int64_t tnn_raw_count(const struct tnn_raw *raw);
/* Element `index` as a number. */
double tnn_raw_real(const struct tnn_raw *raw, size_t index);
int64_t tnn_raw_integer(const struct tnn_raw *raw, size_t index);

#endif
