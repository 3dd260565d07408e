/* weights.h — a checkpoint as the weights of a network that another file describes.
 *
 * The parameters of the network are asked for by the names they have there ("layer1.0.conv1.weight"). A tensor of the
 * checkpoint answers to its own name, and to what is left of it without the first parts that all names there share:
 * "module.conv1.weight" is "conv1.weight" where every name begins with "module.". The other way round, the name of a
 * parameter may begin with "module." although none does in the checkpoint.
 */
#ifndef ETALON_TORCH_WEIGHTS_H
#define ETALON_TORCH_WEIGHTS_H

#include "common/memory.h"
#include "common/tensor.h"

struct torch_weights;

/* Is the file at `path` a checkpoint, by content? False when it cannot be read. */
bool torch_weights_recognise(const char *path);

/* The errors of torch_read. NULL on failure. */
struct torch_weights *torch_weights_open(const char *path, struct error *err);
void torch_weights_close(struct torch_weights *weights); /* NULL is allowed */

bool torch_weights_has(const struct torch_weights *weights, const char *name);
/* The tensor of that name as floats in `arena`, whatever its element type. EX_DATAERR: there is none, or its shape is
 * not `shape`. */
int torch_weights_read(struct torch_weights *weights, const char *name, const struct shape *shape, struct arena *arena,
                       const float **values, struct error *err);
/* EX_DATAERR naming some of the tensors that nothing has read: the checkpoint is of another network. Counters of
 * batches, which only training needs, are not missed. */
int torch_weights_finish(const struct torch_weights *weights, struct error *err);

#endif
