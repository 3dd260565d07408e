/* clock.h — elapsed time.
 */
#ifndef ETALON_CLOCK_H
#define ETALON_CLOCK_H

#include <time.h>

/* Seconds of a clock that never goes back; only differences mean something. Takes some 20 ns. */
static inline double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
