/* labels.h — labels that lie in a file of their own, one a record.
 */
#ifndef ETALON_LABELS_H
#define ETALON_LABELS_H

#include "common/error.h"

#include <stdint.h>

/* labels[n], owned by the caller, from an IDX file, a .npy of integers, or a text with one number a line; the first
 * bytes tell which. EX_NOINPUT; EX_DATAERR: not n labels, or one outside -1..2^31 - 1. */
int labels_read(const char *path, uint64_t n, int32_t **labels, struct error *err);

#endif
