/* fault.h — failures on request, so that tests reach every error path. Compiled in only with -DETALON_FAULTS=ON.
 *
 *   FAULT=point:n=action[,point:n=action...]     the n-th passage (from 1) of a named point, in this process, does
 *     kill        SIGKILL to itself
 *     stop        SIGSTOP to itself
 *     stall:MS    sleeps that many milliseconds
 *     ENOSPC ...  fails with this errno (ENOSPC, EIO, EDQUOT, EACCES, EROFS, ENOMEM)
 *
 * Points so far: output.open, output.write, output.fsync, output.close, output.rename, output.fsync_folder (in this
 * order for every file), block.done.
 */
#ifndef ETALON_FAULT_H
#define ETALON_FAULT_H

#ifdef ETALON_FAULTS
/* 0, or -1 with errno set when FAULT says so. Thread safe. A FAULT that does not parse ends the program: a test must
 * not pass because its fault was misspelt. */
int fault(const char *point);
/* Reads FAULT again and counts from zero. Not thread safe; for unit tests. */
void fault_reload(void);
#else
static inline int fault(const char *point)
{
    (void)point;
    return 0;
}
#endif

#endif
