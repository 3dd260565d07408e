/* dataset.c — `etalon dataset VERB`: makes and checks calibration sets. The verbs are in jobs/dataset/.
 */
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include "common/suggest.h"

#include <stdio.h>
#include <string.h>

#define DATASET_VERB(id) extern const struct dataset_verb dataset_verb_##id;
#include "dataset_verbs.def"
#undef DATASET_VERB

static const struct dataset_verb *const dataset_verbs[] = {
#define DATASET_VERB(id) &dataset_verb_##id,
#include "dataset_verbs.def"
#undef DATASET_VERB
};

enum { N_VERBS = sizeof dataset_verbs / sizeof *dataset_verbs };

/* One page after the other. */
static int print_pages(const struct comm *comm, struct error *err)
{
    static char help[] = "--help";

    for (size_t i = 0; comm->rank == 0 && i < N_VERBS; i++) {
        char name[32], *argv[] = {name, help, NULL};

        snprintf(name, sizeof name, "%s", dataset_verbs[i]->name);
        if (i > 0)
            printf("\n");
        if (dataset_verbs[i]->run(comm, 2, argv, err) != 0)
            return -1;
    }
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const char *names[N_VERBS];

    if (argc < 2)
        return error_set(err, EX_USAGE, "dataset: expected a verb behind it: etalon dataset --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_pages(comm, err);
    for (size_t i = 0; i < N_VERBS; i++) {
        names[i] = dataset_verbs[i]->name;
        if (strcmp(argv[1], names[i]) == 0)
            return comm->rank == 0 || dataset_verbs[i]->is_parallel
                       ? dataset_verbs[i]->run(comm, argc - 1, argv + 1, err)
                       : 0;
    }
    return error_set(err, EX_USAGE, "dataset: verb \"%s\" does not exist; the nearest is \"%s\"", argv[1],
                     suggest_nearest(argv[1], names, N_VERBS, sizeof *names));
}

const struct verb verb_dataset = {"dataset", "make and check calibration sets", true, run};
