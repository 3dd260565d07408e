/* slurm.h — the batch script of one calibration on a partition of a Slurm cluster: `etalon calibrate --slurm`.
 *
 * The script is slurm/etalon.sbatch under other #SBATCH lines: whole nodes, a rank for each socket, a thread for
 * each core, and the longest time that the partition gives.
 */
#ifndef ETALON_SLURM_H
#define ETALON_SLURM_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct slurm_partition {
    const char *name;                 /* or several, with commas between; borrowed */
    unsigned sockets, cores, threads; /* of a node, of a socket, of a core; where nodes differ, the least */
    uint64_t limit_s;                 /* the shortest; SLURM_NO_LIMIT: none */
    unsigned nodes;
};
#define SLURM_NO_LIMIT UINT64_MAX

/* Asks sinfo. EX_UNAVAILABLE: no sinfo here, or it fails; EX_CONFIG: no such partition. */
int slurm_ask(const char *name, struct slurm_partition *partition, struct error *err);

/* What sinfo -h -e -o "%X %Y %Z %D %l" prints: a line for each kind of node. EX_DATAERR. */
int slurm_read(const char *text, struct slurm_partition *partition, struct error *err);

/* The script for `etalon calibrate words[0..n_words)` in this folder, with this program. `name` is the job's, for the
 * queue and the log. EX_OSERR: the program or the folder has no name. */
int slurm_print(const struct slurm_partition *partition, const char *name, const char *const *words, size_t n_words,
                FILE *out, struct error *err);

#endif
