/* page.h — report.html: report.json, the histograms and a script that draws them, in one file that asks nobody.
 */
#ifndef ETALON_PAGE_H
#define ETALON_PAGE_H

#include "common/histogram.h"
#include "common/output.h"
#include "coordinator/comm.h"

struct page_value {
    const char *name;                  /* borrowed */
    const struct histogram *histogram; /* borrowed */
};

struct page {
    const char *report; /* the text of report.json, borrowed */
    const char *run;    /* that of run.json, borrowed; NULL: not known */
    size_t n_values;
    struct page_value *values; /* [n_values] */
    float *thresholds;         /* [n_values][compared_methods] of compare_methods.h; NULL: not compared */
};

/* Collective. Fills page->thresholds from the values. EX_OSERR. */
int page_compare(const struct comm *comm, struct page *page, double percentile, struct error *err);

/* The file's text, to be freed; *size without the zero at its end. What is shown of a histogram is folded to at most
 * 256 bins, so that the file of a ResNet-50 on all targets stays below 3 MB. Local. EX_DATAERR: a text is no JSON,
 * or no report; EX_OSERR. */
char *page_text(const struct page *page, size_t *size, struct error *err);
/* report.html of the output folder; not listed in the manifest. Local. */
int page_write(const struct page *page, struct output *output, struct error *err);

/* The style sheet, for other pages of ours; no zero at its end. */
const char *page_style(size_t *size);

void page_fini(struct page *page); /* may be called on {0} */

#endif
