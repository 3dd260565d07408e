/* onednn.h — the few things that depend on the version of oneDNN (2.6, C API), said once.
 *
 * Layouts. The engine keeps every activation as a four-dimensional tensor (records, channels, rows, columns) in one of
 * the layouts of common/view.h, so one number describes a layout: its channel block. 1 is plain nchw, 8 and 16 the
 * library's nChw8c and nChw16c, `channels` is nhwc.
 */
#ifndef ETALON_ONEDNN_H
#define ETALON_ONEDNN_H

#include "common/graph.h"

#include <dnnl.h>

enum { ONEDNN_RANK = 4, ONEDNN_MAX_CHAIN = 2 };

/* 0 for dnnl_success. Else -1: EX_OSERR out of memory, EX_UNAVAILABLE unimplemented, EX_SOFTWARE the rest; `what` says
 * what was tried: "oneDNN: create a convolution: unimplemented". */
int onednn_check(dnnl_status_t status, const char *what, struct error *err);

/* The processor as the library sees it; one per process, never destroyed, safe to share among threads. */
dnnl_engine_t onednn_engine(struct error *err);

/* The calling thread will run primitives alone. Debian's library is built on OpenMP, whose thread count is a property
 * of the calling thread, and decides blocking when a primitive is created: call it before creating and before running.
 */
void onednn_use_one_thread(void);

/* float32 descriptors. `block` as above; 0 lets the library choose (format "any"). */
dnnl_memory_desc_t onednn_layout(const int64_t dims[ONEDNN_RANK], size_t block);
dnnl_memory_desc_t onednn_plain(const int64_t *dims, size_t rank);
dnnl_memory_desc_t onednn_strided(const int64_t *dims, const int64_t *strides, size_t rank);
dnnl_memory_desc_t onednn_any(const int64_t *dims, size_t rank);

/* The block of a 4-d descriptor; 0 when it has none of our layouts. */
size_t onednn_block(const dnnl_memory_desc_t *md);

/* True when both layouts put every element at the same place: then no reorder is needed. */
bool onednn_layouts_coincide(const int64_t dims[ONEDNN_RANK], size_t block, size_t other);

/* An activation as the library's element-wise algorithms, applied in order. False when it has none. */
struct onednn_eltwise {
    dnnl_alg_kind_t kind;
    float alpha, beta;
};
bool onednn_eltwise_chain(struct activation activation, struct onednn_eltwise chain[ONEDNN_MAX_CHAIN], size_t *n);

/* Attributes every primitive of ours has: a scratchpad from its caller, and `fused` as post-operations (it must have a
 * chain). NULL with err set. Destroy with dnnl_primitive_attr_destroy. */
dnnl_primitive_attr_t onednn_attributes(struct activation fused, struct error *err);

/* "jit:avx512_core", "ref:any": the implementation the library picked. Borrowed from pd. */
const char *onednn_implementation(const_dnnl_primitive_desc_t pd);

/* See engine_isa and engine_pin_isa. */
const char *onednn_isa(void);
int onednn_pin_isa(const char *isa, struct error *err);

#endif
