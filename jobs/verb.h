/* verb.h — what `etalon <verb>` can do. A new verb is one file in verbs/ and one word in jobs/CMakeLists.txt.
 */
#ifndef ETALON_VERB_H
#define ETALON_VERB_H

#include "coordinator/comm.h"
#include "jobs/options.h"

struct verb {
    const char *name;
    const char *summary; /* one line of `etalon --help` */
    bool is_parallel;    /* all ranks run it; otherwise only rank 0 does */
    /* argv[0] is the verb. 0, or -1 with err. */
    int (*run)(const struct comm *comm, int argc, char **argv, struct error *err);
};

/* NULL-terminated. */
extern const struct verb *const verbs[];

/* The whole program: finds the verb, starts MPI where a launcher asks for it, prints the error, returns the exit code.
 */
int verb_main(int argc, char **argv);

/* Prints "usage: etalon <usage>", the text and the options on rank 0's stdout; returns 0, to be returned by a verb. */
int verb_help(const struct comm *comm, const char *usage, const char *text, const struct option *options);

#endif
