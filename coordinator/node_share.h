/* node_share.h — what all ranks of a machine only read exists there once: a graph's constants, an engine's weights.
 */
#ifndef ETALON_NODE_SHARE_H
#define ETALON_NODE_SHARE_H

#include "common/graph.h"
#include "coordinator/comm.h"
#include "worker/engine.h"

/* Collective. The graph's constants move to memory that the machine's ranks share, and nobody may write to them any
 * more; the memory that they had is given back to the system, page by page. The graph must be the same on all ranks.
 * *shared is to be freed after the graph; nothing is moved where a rank is alone. */
void node_share_constants(const struct comm *comm, struct graph *graph, struct comm_shared *shared);

/* Collective. As engine_create, with the reordered weights in *shared, to be freed after the engine. */
struct engine *node_share_engine(const struct comm *comm, const struct graph *graph, size_t batch,
                                 struct comm_shared *shared, struct error *err);

#endif
