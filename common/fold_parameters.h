/* fold_parameters.h — operators whose parameters are inputs become operators whose parameters are attributes.
 */
#ifndef ETALON_FOLD_PARAMETERS_H
#define ETALON_FOLD_PARAMETERS_H

#include "common/graph.h"

/* Before shapes are inferred: RESHAPE_TO, SLICE_TO, PAD_TO and RESIZE_TO become RESHAPE, SLICE, PAD (or SLICE, where
 * pads crop) and RESIZE; a POOL gets the window and size that only its input's shape tells. All other nodes stay as
 * they are. The inputs have shapes. EX_DATAERR, EX_UNAVAILABLE (a parameter computed at run time), naming the node. */
int fold_parameters(struct graph *graph, int node, struct error *err);

/* After shapes are inferred, for a node on activations: EXPAND, GATHER and CAST become IDENTITY, BINARY, SLICE or
 * RESHAPE, or are refused (EX_UNAVAILABLE). May add a node. */
int fold_lower(struct graph *graph, int node, struct error *err);

/* The node's attributes become those of a slice that takes all of `rank` axes; for the files behind these two. */
void fold_begin_slice(struct node *node, size_t rank);

#endif
