/* reference_private.h — what the files of the reference share: one node on one record, and ways to walk arrays. */
#ifndef ETALON_REFERENCE_PRIVATE_H
#define ETALON_REFERENCE_PRIVATE_H

#include "worker/reference.h"

/* One record of one node. Shapes are the graph's own, where the batch is 1. */
struct reference_call {
    const struct graph *graph;
    const struct node *node;
    const float *const *bases;
    size_t images; /* how many a record holds: 1, but in an unbatched graph the length of axis 0 */
    size_t record; /* image, where there are several */
    float *out;    /* of this record */
};

typedef void (*reference_kernel)(const struct reference_call *call);

const float *reference_input(const struct reference_call *call, size_t i); /* of this record; NULL when absent */
const struct shape *reference_input_shape(const struct reference_call *call, size_t i);
const struct shape *reference_output_shape(const struct reference_call *call);

/* The sizes of an activation seen as an image; rank 3 is one row, rank 2 one pixel. */
struct image {
    int64_t channels, rows, columns;
};
struct image reference_image(const struct shape *shape);

/* strides[i]: elements between neighbours along axis i of a row-major array. */
void reference_strides(const struct shape *shape, int64_t strides[TENSOR_MAX_RANK]);
/* The same for an operand read under numpy's rule as if it had shape `out`: 0 along axes it is repeated over. */
void reference_broadcast_strides(const struct shape *operand, const struct shape *out,
                                 int64_t strides[TENSOR_MAX_RANK]);
/* Counts index[] up in row-major order; false after the last one, when it is all zero again. */
bool reference_next(int64_t index[TENSOR_MAX_RANK], const int64_t *dims, size_t rank);
int64_t reference_offset(const int64_t *index, const int64_t *strides, size_t rank);

/* The kernels, by family. */
void reference_conv(const struct reference_call *call);
void reference_deconv(const struct reference_call *call);
void reference_dense(const struct reference_call *call);
void reference_matmul(const struct reference_call *call);
void reference_pool(const struct reference_call *call);
void reference_lrn(const struct reference_call *call);
void reference_resize(const struct reference_call *call);
void reference_activation(const struct reference_call *call);
void reference_prelu(const struct reference_call *call);
void reference_normalize(const struct reference_call *call);
void reference_binary(const struct reference_call *call);
void reference_concat(const struct reference_call *call);
void reference_copy(const struct reference_call *call);
void reference_transpose(const struct reference_call *call);
void reference_slice(const struct reference_call *call);
void reference_pad(const struct reference_call *call);
void reference_softmax(const struct reference_call *call);
void reference_reduce(const struct reference_call *call);
void reference_layer_norm(const struct reference_call *call);
void reference_hardmax(const struct reference_call *call);
void reference_gather(const struct reference_call *call);

/* Some of them once more, in the order of reference_run_node_serial. */
void reference_serial_conv(const struct reference_call *call);
void reference_serial_dense(const struct reference_call *call);
void reference_serial_normalize(const struct reference_call *call);
void reference_serial_pool(const struct reference_call *call);

/* a op b, in float as every runtime does. */
float reference_binary_apply(enum binary_kind kind, float a, float b);

#endif
