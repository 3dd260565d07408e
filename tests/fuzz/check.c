/* check.c — one input of a fuzz target: files, imports, and the promises of every parser; see fuzz.h. */
#include "fuzz.h"

#include "common/log.h"
#include "common/passes.h"
#include "coordinator/plan_read.h"
#include "formats/model.h"
#include "formats/target.h"
#include "worker/simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void broken(const char *promise, size_t size, const struct error *err)
{
    fprintf(stderr, "an input of %zu bytes: %s (code %d: %s)\n", size, promise, err->code, err->text);
    abort();
}

bool fuzz_check(const uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t before = fuzz_memory_used(), taken;
    bool is_accepted;

    log_set_level(LOG_QUIET);
    fuzz_memory_mark();
    is_accepted = fuzz_parse(data, size, &err) == 0;
    if (!is_accepted) {
        if (err.text[0] == '\0')
            broken("refused without a reason", size, &err);
        if (err.code != EX_DATAERR && err.code != EX_UNAVAILABLE && err.code != EX_NOINPUT && err.code != EX_CONFIG)
            broken("refused, but not as a bad file", size, &err);
    }
    taken = fuzz_memory_peak() - before;
    if (taken > 64 * size + ((size_t)64 << 20)) {
        fprintf(stderr, "%zu bytes were allocated\n", taken);
        broken("more memory than 64 times its size and 64 MiB", size, &err);
    }
    return is_accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_check(data, size);
    return 0;
}

enum { MAX_FILES = 4 };

static struct {
    char folder[64], paths[MAX_FILES][128];
    size_t n;
    pid_t owner;
} place;

static void remove_place(void)
{
    if (getpid() != place.owner)
        return;
    for (size_t i = 0; i < place.n; i++)
        unlink(place.paths[i]);
    rmdir(place.folder);
}

static void make_place(void)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* thousands of files a second */

    snprintf(place.folder, sizeof place.folder, "%s/etalon-fuzz-XXXXXX", parent);
    if (mkdtemp(place.folder) == NULL || atexit(remove_place) != 0) {
        perror(place.folder);
        abort();
    }
    place.owner = getpid();
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    char path[sizeof place.paths[0]];
    FILE *file;
    size_t i = 0;

    if (place.owner == 0)
        make_place();
    snprintf(path, sizeof path, "%s/%s", place.folder, name);
    while (i < place.n && strcmp(place.paths[i], path) != 0)
        i++;
    if (i == MAX_FILES)
        abort();
    if (i == place.n)
        strcpy(place.paths[place.n++], path);
    file = fopen(path, "wb");
    if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0) {
        perror(path);
        abort();
    }
    return place.paths[i];
}

/* Both files of a model, which are borrowed; without a NUL there is no second. */
static struct model_request split(const char *name, const char *weights, const uint8_t *data, size_t size)
{
    const uint8_t *nul = weights != NULL && size > 0 ? memchr(data, '\0', size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - data) : size;
    struct model_request request = {.file = fuzz_file(name, data, first)};

    if (nul != NULL)
        request.weights = fuzz_file(weights, nul + 1, size - first - 1);
    return request;
}

int fuzz_import(const char *name, const char *weights, const uint8_t *data, size_t size, struct error *err)
{
    const struct model_request request = split(name, weights, data, size);
    struct graph *graph = model_import(&request, err);
    int rc = graph != NULL ? 0 : -1;

    graph_destroy(graph);
    return rc;
}

/* As coordinator/run_ready.c does. */
static struct graph *import_quantized(const struct target *target, struct model_request request, struct error *err)
{
    const char *numbers =
        target->read_numbers != NULL && request.weights != NULL && target->holds_numbers(request.weights)
            ? request.weights
            : NULL;
    struct graph *graph;

    if (numbers != NULL)
        request.weights = NULL;
    graph = model_import(&request, err);
    if (graph != NULL)
        graph->keeps_codings = true;
    if (graph != NULL && graph_normalise(graph, err) == 0 &&
        (numbers == NULL || target->read_numbers(graph, numbers, err) == 0))
        return graph;
    graph_destroy(graph);
    return NULL;
}

int fuzz_quantized(const char *target, const char *name, const char *weights, const uint8_t *data, size_t size,
                   struct error *err)
{
    const struct target *of = target_find(target);
    struct graph *graph = import_quantized(of, split(name, weights, data, size), err);
    struct plan *plan = graph == NULL ? NULL : plan_read(graph, of->profile, err);
    int rc = plan == NULL ? -1 : simulator_check(plan, err);

    plan_destroy(plan);
    graph_destroy(graph);
    return rc;
}
