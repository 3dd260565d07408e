/* pass_changes.h — what a pass did to a graph, by comparison of its nodes before and after. For passes.c.
 */
#ifndef ETALON_PASS_CHANGES_H
#define ETALON_PASS_CHANGES_H

#include "common/passes.h"

/* The nodes of a graph at one moment, to be compared with a later one. */
struct snapshot;

struct snapshot *snapshot_create(const struct graph *graph, struct error *err);
void snapshot_destroy(struct snapshot *snapshot); /* NULL is allowed */

/* Tells `watch` what is different in `graph` by now; not, where nothing is. Returns what it returned. */
int snapshot_compare(const struct snapshot *before, const struct graph *graph, const struct pass *pass, size_t round,
                     pass_watcher watch, void *context, struct error *err);

#endif
