/* targets.c — `etalon targets`: what can be written. */
#include "formats/target.h"
#include "jobs/verb.h"

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const struct option options[] = {{0}};
    bool wants_help = false;
    size_t n_words;

    if (options_read(argc, argv, options, NULL, 0, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(
            comm, "targets",
            "Lists the accelerators and runtimes that models can be written for.\n\nExample: etalon targets\n",
            options);
    for (size_t i = 0; targets[i] != NULL; i++)
        printf("%-22s %s\n", targets[i]->name, targets[i]->summary);
    return 0;
}

const struct verb verb_targets = {"targets", "list the targets", false, run};
