/* index.c — `etalon dataset index`: how ordinals are found in a dataset, how large that is and how long it takes.
 */
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double peak_mib(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0;
}

static int show(const struct dataset_request *request, struct error *err)
{
    double before_mib = peak_mib(), started = now_s(), seconds;
    struct dataset *dataset = dataset_open(request, err);
    void *bytes = NULL;
    size_t size = 0;

    if (dataset == NULL)
        return -1;
    seconds = now_s() - started;
    if (dataset_has_index(request) && dataset_index(dataset, &bytes, &size, err) != 0) {
        dataset_close(dataset);
        return -1;
    }
    printf("dataset of kind %s: %" PRIu64 " records\n", request->kind, dataset_count(dataset));
    printf("opened in %.3f s, %.1f MiB of memory\n", seconds, peak_mib() - before_mib);
    if (bytes != NULL)
        printf("index of %zu bytes, found by one rank and sent to the others; nothing is written\n", size);
    else
        printf("no index: each rank opens it for itself\n");
    free(bytes);
    dataset_close(dataset);
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct dataset_source source = {0};
    struct dataset_request request;
    const char *words[1];
    bool wants_help = false;
    size_t n_words;
    const struct option options[] = {DATASET_SOURCE_OPTIONS(&source), {0}};

    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "dataset index PATH [options]",
                         "Opens a dataset as a job does, and says how many records it has, and what that took.\n\n"
                         "Example: etalon dataset index train_lmdb\n",
                         options);
    if (n_words != 1)
        return error_set(err, EX_USAGE, "dataset index needs PATH");
    return dataset_source_request(&source, words[0], &request, err) != 0 ? -1 : show(&request, err);
}

const struct dataset_verb dataset_verb_index = {"index", false, run};
