/* compare_methods.h — what every method would decide for every value: the reader of a report chooses among them.
 */
#ifndef ETALON_COMPARE_METHODS_H
#define ETALON_COMPARE_METHODS_H

#include "coordinator/comm.h"
#include "coordinator/thresholds.h"

/* Does it need merged counts and nothing else? */
bool compared_method(const struct threshold_method *method);
/* How many of the registry do; they are compared in its order. */
size_t compared_methods(const struct threshold_method **methods); /* NULL, or filled with them */

/* Collective. thresholds[n][compared_methods], to be freed; the same on every rank. For signed int8 (127 steps), behind
 * the guard, as convergence.h has it. 0 where nothing was seen. Takes some 40 ms a value of 8,192 bins on one core. The
 * histograms are the same on every rank. EX_OSERR. */
int compare_methods(const struct comm *comm, const struct histogram *const *histograms, size_t n, double percentile,
                    float **thresholds, struct error *err);

#endif
