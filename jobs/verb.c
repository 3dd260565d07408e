/* verb.c — see verb.h. */
#include "jobs/verb.h"

#include "common/bus_error.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/suggest.h"
#include "coordinator/run.h"
#include "coordinator/stop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define VERB(name) extern const struct verb verb_##name;
#include "verbs.def"
#undef VERB

const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "verbs.def"
#undef VERB
    NULL,
};

static void print_overview(FILE *out)
{
    fprintf(out, "usage: etalon VERB ...      (etalon VERB --help for one verb)\n\n");
    for (size_t i = 0; verbs[i] != NULL; i++)
        fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(out, "\nExample: mpirun -n 2 etalon calibrate job.yaml\n");
}

int verb_help(const struct comm *comm, const char *usage, const char *text, const struct option *options)
{
    if (comm->rank > 0)
        return 0;
    printf("usage: etalon %s\n\n%s\n", usage, text);
    options_print(options, stdout);
    return 0;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; verbs[i] != NULL; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static int no_such_verb(const char *name, struct error *err)
{
    const char *names[32];
    size_t n = 0;

    for (; verbs[n] != NULL && n < sizeof names / sizeof *names; n++)
        names[n] = verbs[n]->name;
    return error_set(err, EX_USAGE, "verb \"%s\" does not exist; the nearest is \"%s\"", name,
                     suggest_nearest(name, names, n, sizeof *names));
}

/* Results that could not be written are no results. */
static int flush_results(struct error *err)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_set(err, EX_IOERR, "the results could not be written to standard output");
    return 0;
}

/* What is asked of the program itself rather than of a verb. */
static bool print_about(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        print_overview(stdout);
    else if (strcmp(word, "--version") == 0)
        printf("etalon %s\n", ETALON_VERSION);
    else
        return false;
    return true;
}

/* Says what went wrong, once for all ranks, and makes an exit code of it. */
static int end(int rc, const struct comm *comm, const struct error *err)
{
    if (rc == 0)
        return 0;
    if (comm->rank == 0)
        log_error("%s", err->text);
    return err->code == 0 ? EX_SOFTWARE : err->code;
}

int verb_main(int argc, char **argv)
{
    struct error err = {0};
    struct comm comm = {0, 1};
    const struct verb *verb;
    int rc;

    memory_use_one_heap();
    signal(SIGPIPE, SIG_IGN); /* a reader that closes the pipe is a write error, not a death */
    signal(SIGXFSZ, SIG_IGN); /* so is a file beyond the limit */
    if (argc < 2) {
        print_overview(stderr);
        return EX_USAGE;
    }
    if (print_about(argv[1]))
        return end(flush_results(&err), &comm, &err);
    verb = find_verb(argv[1]);
    /* Before MPI starts, which takes long enough for a signal to come; after it what MPI has handlers for, too. */
    rc = verb != NULL && verb->is_parallel ? stop_listen(&err) : 0;
    if (rc == 0)
        rc = comm_init(&argc, &argv, &comm, &err);
    if (rc == 0)
        rc = bus_error_listen(&err);
    if (rc == 0)
        log_setup(log_level_now(), comm.size > 1 ? comm.rank : -1);
    if (rc == 0 && verb == NULL)
        rc = no_such_verb(argv[1], &err);
    if (rc == 0) {
        rc = verb->is_parallel || comm.rank == 0 ? verb->run(&comm, argc - 1, argv + 1, &err) : 0;
        if (rc == 0)
            rc = flush_results(&err);
        rc = comm_agree(&comm, rc, &err);
    }
    rc = end(rc, &comm, &err);
    comm_finalize();
    return rc;
}
