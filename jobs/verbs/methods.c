/* methods.c — `etalon methods`: what can decide thresholds and weights. */
#include "coordinator/thresholds.h"
#include "coordinator/weights.h"
#include "jobs/verb.h"

/* Where what it looks at comes from: "records" is in the archive, too, but of a run that had such a method. */
static const char *source(enum threshold_source reads, unsigned wants)
{
    return wants != 0 ? "records" : reads == THRESHOLD_FROM_MODEL ? "model" : "archive";
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const struct option options[] = {{0}};
    bool wants_help = false;
    size_t n_words;

    if (options_read(argc, argv, options, NULL, 0, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "methods",
                         "Lists the methods for activations and for weights.\n\nExample: etalon methods\n", options);
    for (size_t i = 0; threshold_methods[i] != NULL; i++)
        printf("activations  %-17s  %-7s  %s\n", threshold_methods[i]->name,
               source(threshold_methods[i]->reads, threshold_methods[i]->wants), threshold_methods[i]->summary);
    for (size_t i = 0; weight_methods[i] != NULL; i++)
        printf("weights      %-17s  %-7s  %s\n", weight_methods[i]->name,
               source(THRESHOLD_FROM_MODEL, weight_methods[i]->wants), weight_methods[i]->summary);
    return 0;
}

const struct verb verb_methods = {"methods", "list the calibration methods", false, run};
