/* report_convergence.h — what report.json and the table say of the number of records: are they enough?
 */
#ifndef ETALON_REPORT_CONVERGENCE_H
#define ETALON_REPORT_CONVERGENCE_H

#include "coordinator/report.h"

#include <jansson.h>

/* Thresholds against the number of records, see jobs/doc/report.md; JSON null where they are not known. NULL when
 * memory ends. */
json_t *report_convergence_json(const struct report *report);
/* One sentence; nothing where it is not known. */
void report_convergence_print(const struct report *report, FILE *out);
/* The same of an archive, by the methods of the request: the sentence to `out`, the object, to be freed, to *json (null
 * where it is not known, NULL when memory ends); either may be NULL. Collective. EX_OSERR. */
int report_convergence_of_archive(const struct comm *comm, const struct archive *archive,
                                  const struct run_request *request, FILE *out, json_t **json, struct error *err);

/* False, or a sentence: this target's makers advise more records than were used. */
bool report_advice(const struct target *target, const struct pass_result *records, char *text, size_t size);

#endif
