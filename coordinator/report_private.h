/* report_private.h — which values report.c (JSON) and report_table.c tell of. */
#ifndef ETALON_REPORT_PRIVATE_H
#define ETALON_REPORT_PRIVATE_H

#include "coordinator/report.h"

/* Is there anything to be told of what value `v` lost? */
static inline bool report_is_measured(const struct report *report, const struct report_target *t, size_t v)
{
    return report->evaluation != NULL && evaluation_error(report->evaluation, t->evaluation, (int)v)->elements > 0;
}

static inline bool report_shows(const struct report *report, size_t v)
{
    return !report->graph->values[v].is_constant && report->graph->values[v].dtype == DTYPE_FLOAT32;
}

#endif
