/* sums_checkpoint.h — exact sums of passes one after the other, kept so that a run that was killed goes on.
 *
 * What a pass counts depends on what was decided after the one before, so the sums of all passes so far are kept: a run
 * that goes on takes those of the passes that are over, decides again, and comes to where the other was. Two files take
 * turns, as in checkpoint.h; nothing in them tells of ranks or threads.
 */
#ifndef ETALON_SUMS_CHECKPOINT_H
#define ETALON_SUMS_CHECKPOINT_H

#include "common/exact_sum.h"
#include "coordinator/run.h"

#include "coordinator/pass.h"

struct sums_checkpoint;

/* Collective. Finds what was kept under `fingerprint` for passes of n_blocks, unless request->starts_anew. `output` is
 * rank 0's, NULL elsewhere. NULL with EX_OSERR. */
struct sums_checkpoint *sums_checkpoint_open(const struct comm *comm, const struct run_request *request,
                                             const char *fingerprint, uint64_t n_records, struct output *output,
                                             struct error *err);
void sums_checkpoint_close(struct sums_checkpoint *checkpoint); /* NULL is allowed */

/* The next pass, of n sums. Is it over already? Then sums[n] are filled, on every rank. */
bool sums_checkpoint_take(struct sums_checkpoint *checkpoint, struct exact_sum *sums, size_t n);
/* Else what was kept of it: blocks that are done (NULL: none), and, on rank 0, sums to be added: 0 elsewhere. */
const struct pass_progress *sums_checkpoint_begun(const struct sums_checkpoint *checkpoint);
void sums_checkpoint_add_begun(const struct sums_checkpoint *checkpoint, struct exact_sum *sums, size_t n);
/* The pass is over, with these sums of all ranks. EX_OSERR. */
int sums_checkpoint_end(struct sums_checkpoint *checkpoint, const struct exact_sum *sums, size_t n, struct error *err);

/* Rank 0. As checkpoint_is_due and checkpoint_write; `sums` are those of all ranks, what had begun included. */
bool sums_checkpoint_is_due(const struct sums_checkpoint *checkpoint, bool is_at_end);
int sums_checkpoint_write(struct sums_checkpoint *checkpoint, const struct exact_sum *sums, size_t n,
                          const struct pass_progress *progress, struct error *err);

/* Rank 0, after the results are written: removes the files. */
int sums_checkpoint_remove(struct output *output, struct error *err);

#endif
