/* output_lock.h — the lock file of an output folder: one run at a time, and who it is. Private to output*.c.
 *
 * `.etalon.lock` is text: host, pid, job, start and restart of its holder (start: the process's start time in kernel
 * ticks, which tells a reused pid from the one that wrote the file; 0: not known; restart: how often Slurm had requeued
 * the job). While the holder lives it also keeps the
 * file flock()ed, so that two runs which find the same stale lock cannot both take it over.
 */
#ifndef ETALON_OUTPUT_LOCK_H
#define ETALON_OUTPUT_LOCK_H

#include "common/error.h"

#include <stdbool.h>

/* The job this process belongs to: SLURM_JOB_ID where it is a number, else "0", no job. Static storage. */
const char *output_job(void);

/* Takes the lock of the folder behind descriptor `dir`; `folder` is for messages. Returns the descriptor that holds it,
 * or -1 with EX_CANTCREAT: cannot be written, or in use. A lock is stale when its process is dead on this host or its
 * job is ours (we were requeued: what the job was before is gone). An earlier start of our job loses it even alive. */
int output_lock_take(int dir, const char *folder, struct error *err);

/* The text of the folder's lock file, whoever holds it; false where there is none. */
enum { OUTPUT_LOCK_BYTES = 512 };
bool output_lock_read(int dir, char text[OUTPUT_LOCK_BYTES]);

/* Whether the folder is, or may be, somebody's: it has a lock file, stale or not, or cannot be asked. */
bool output_lock_exists(int dir);

/* False once another start of the job has taken the folder over: nothing may be written any more. */
bool output_lock_is_held(int dir, int lock);

/* Removes the lock file, where it is still ours, and closes the descriptor. */
void output_lock_release(int dir, int lock);

#endif
