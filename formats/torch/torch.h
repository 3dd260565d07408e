/* torch.h — PyTorch checkpoints (.pth, .pt, .th): named tensors, read and written.
 *
 * Two containers are read: the zip archive (PyTorch 1.6 and later) and the older one, here called legacy: a few pickles
 * and the raw numbers behind each other. Both describe tensors in a pickle, which is read as data (pickle.h): code in
 * it is never run.
 *
 * What is looked for is a state_dict: the file's root, or what it keeps under a customary key ("state_dict", "model"
 * ...). Names of nested dictionaries are joined by dots. A whole pickled module is read for its parameters and buffers,
 * under the names its state_dict would have. Anything that is no tensor is passed over.
 */
#ifndef ETALON_TORCH_H
#define ETALON_TORCH_H

#include "common/bytes.h"
#include "common/output.h"
#include "common/tensor.h"

struct torch_tensor {
    const char *name;
    struct tensor tensor; /* contiguous, whatever strides the file has */
};

struct torch_state {
    struct torch_tensor *tensors; /* in the file's order */
    size_t n;
    /* private: the index by name, and what the tensors point into */
    const struct torch_tensor **by_name;
    struct arena *arena;
    struct bytes file;
};

/* Does a file begin like one of the two containers? */
bool torch_recognise(const struct bytes *file);

/* Reads a checkpoint; owned by the caller. NULL on failure, the message begins with the path. EX_NOINPUT; EX_DATAERR:
 * damaged, lengths that contradict each other, a call of a function that does not rebuild tensors (named), no tensors;
 * EX_UNAVAILABLE: TorchScript, the tar container of 2016, element types that have no place here. */
struct torch_state *torch_read(const char *path, struct error *err);
void torch_destroy(struct torch_state *state);                                            /* NULL is allowed */
const struct torch_tensor *torch_find(const struct torch_state *state, const char *name); /* NULL: there is none */

/* Writes a state_dict in the legacy container, which every PyTorch reads, as `name` in the output folder. Plain tensors
 * on the CPU, one storage each, in the order given. The same tensors give the same bytes. EX_UNAVAILABLE: an element
 * type that PyTorch does not have (uint16); EX_CANTCREAT, EX_IOERR, EX_OSERR. */
int torch_write_legacy(const struct torch_tensor *tensors, size_t n, struct output *output, const char *name,
                       struct error *err);

#endif
