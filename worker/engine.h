/* engine.h — runs a normalised graph in fp32, one batch at a time, on one thread.
 *
 * Built on oneDNN: blocked layouts are kept between nodes, memory is planned by liveness, primitives are created once.
 * One engine per thread; engines may share the reordered weights. A record's results depend neither on the number of
 * threads nor on which records share its batch (checked in tests/worker); another batch size may change last bits.
 * Observers meet mostly nhwc (block = channels) on AVX-512, blocks of 8 below, and plain data everywhere.
 * Only worker/ includes oneDNN, its API version behind onednn.h.
 */
#ifndef ETALON_ENGINE_H
#define ETALON_ENGINE_H

#include "common/graph.h"
#include "common/view.h"

struct engine;

/* The batch of an unbatched graph is 1 (EX_USAGE). EX_UNAVAILABLE naming the node when an operator has no kernel.
 * `graph` is borrowed; it is not changed. `share` is NULL, or an engine of the same graph whose reordered weights are
 * to be used (it must outlive this one). */
struct engine *engine_create(const struct graph *graph, size_t batch, struct engine *share, struct error *err);
/* Every node by reference_run_node_serial, on plain data: the last bits are those of TNN's reference device, on every
 * machine. Several times as slow. */
struct engine *engine_create_serial(const struct graph *graph, size_t batch, struct error *err);
/* As engine_create, with reordered weights that another engine of the same graph and batch has left at `weights`,
 * perhaps in another process of this machine (engine_copy_weights). Borrowed, only read. EX_SOFTWARE: they are others.
 */
struct engine *engine_create_with(const struct graph *graph, size_t batch, const void *weights, size_t bytes,
                                  struct error *err);
size_t engine_weights_bytes(const struct engine *engine); /* what engine_copy_weights writes */
void engine_copy_weights(const struct engine *engine, void *memory);
void engine_destroy(struct engine *engine); /* NULL is allowed */

/* Called after node `node` has computed output `value`, while it is in cache; for graph inputs before the first node,
 * with node == GRAPH_NONE. The view is valid during the call and holds the first n_records records only. A non-zero
 * return stops the run with *err. */
typedef int (*engine_observer)(void *context, int node, int value, const struct view *view, struct error *err);

/* inputs[i]: graph->inputs[i], plain, batch x elements (rows beyond n_records must hold finite numbers, e.g. zeros).
 * n_records in 1..batch. observer may be NULL. Local, deterministic. EX_SOFTWARE when the library fails. */
int engine_run(struct engine *engine, const float *const *inputs, size_t n_records, engine_observer observer,
               void *context, struct error *err);

/* Seconds spent in observers since engine_create. */
double engine_observe_seconds(const struct engine *engine);
/* Records that engine_run has been given since then. */
uint64_t engine_records_run(const struct engine *engine);

/* After engine_run: graph->outputs[i] in plain order, n_records x elements; borrowed until the next run. */
const float *engine_output(struct engine *engine, size_t output);

size_t engine_batch(const struct engine *engine);
size_t engine_memory_bytes(const struct engine *engine); /* activations + scratchpad + weights owned */

/* "avx512_core_vnni", ...: what the library dispatches to. Asking settles it. */
const char *engine_isa(void);
/* Pins it ("native", "sse41", "avx2", "avx512_core", ...), before the first engine is created and before engine_isa is
 * asked: the library decides once per process, and the same name again is no more than a question. EX_CONFIG unknown,
 * EX_UNAVAILABLE beyond this machine, or this process is limited to another one already; EX_SOFTWARE: our own mistake,
 * the library was used before. */
int engine_pin_isa(const char *isa, struct error *err);

#endif
