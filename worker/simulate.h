/* simulate.h — runs a plan on integers, exactly as the target will, in lockstep with the fp32 engine.
 *
 * Codes are kept as integers relative to real zero; accumulators are exact int32 on every instruction set (the
 * library's int8 path where it is exact, a plain kernel elsewhere); rounding is the profile's. Nodes the plan leaves in
 * float compute on dequantized values. One simulator per thread and target.
 */
#ifndef ETALON_SIMULATE_H
#define ETALON_SIMULATE_H

#include "common/plan.h"

#include <stddef.h>
#include <stdint.h>

struct simulator;
/* Can the plan be simulated? EX_UNAVAILABLE naming the node: no kernel, or accumulators beyond 32 bits. */
int simulator_check(const struct plan *plan, struct error *err);
/* `plan` is borrowed. EX_UNAVAILABLE as above. What this accepts, no later call refuses. */
struct simulator *simulator_create(const struct plan *plan, size_t batch, struct error *err);
/* Of some nodes only, part[n_nodes], borrowed: what they read and do not make comes from a simulator of the whole
 * (simulator_take), or, where it is an input of the graph, from simulator_begin. */
struct simulator *simulator_create_part(const struct plan *plan, size_t batch, const bool *part, struct error *err);
void simulator_destroy(struct simulator *simulator); /* NULL is allowed */

/* Lockstep: begin with the inputs (plain fp32, as for engine_run), then one step per node in graph order. */
int simulator_begin(struct simulator *simulator, const float *const *inputs, size_t n_records, struct error *err);
int simulator_step(struct simulator *simulator, int node, struct error *err);
/* A part: `value`, alive in `from`, before a step that reads it. Both have the same scale for it, and as many records.
 */
void simulator_take(struct simulator *part, const struct simulator *from, int value);

/* The simulated value, dequantized, plain row-major, n_records x elements; for metrics and outputs. Valid until the
 * next step. NULL when `value` is not alive at this step. */
const float *simulator_value(struct simulator *simulator, int value);
/* Puts fp32 reals (plain, as simulator_value) in place of what the last step made, as codes where the value has them:
 * steps that read it then begin from fp32, and err by themselves alone. The value is alive. */
void simulator_replace(struct simulator *simulator, int value, const float *reals);
/* How many of its codes sit at ends of the range that are not real zero, for `clipped`; 0 for float values. Sets the
 * bits of `used` (of 256) that stand for codes which occur, the lowest of the range first; only where a range has no
 * more codes. */
uint64_t simulator_code_use(struct simulator *simulator, int value, uint64_t *used);
/* The codes themselves (relative to real zero: q - zero_point), plain order; NULL for float values. For tests. */
const int16_t *simulator_codes(struct simulator *simulator, int value);

#endif
