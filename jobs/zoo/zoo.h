/* zoo.h — many jobs, every night: which there are, what has become of them, and whether that is good enough.
 *
 * A zoo has a folder of its own. Each job's results lie in a sub-folder of its name, as `etalon calibrate` leaves them;
 * beside them zoo.json (the last night), history.json (what changed on which night), accepted.json (what `zoo accept`
 * has declared to be good), junit.xml and index.html. Everything but accepted.json follows from the jobs' results.
 */
#ifndef ETALON_ZOO_H
#define ETALON_ZOO_H

#include "common/output.h"
#include "coordinator/comm.h"
#include "jobs/job.h"

#include <jansson.h>

/* What a job must hold; NaN: not asked for. */
struct zoo_gates {
    double accuracy_drop;      /* points that a target may be below fp32 */
    double agreement;          /* percent with fp32, at least */
    double accuracy_fall;      /* points below the accepted night (agreement where there are no labels) */
    double sqnr_fall;          /* dB below it */
    double threshold_movement; /* |T - T'| / T' from it, of any value */
};

struct zoo_job {
    const char *name;        /* its folder, also in every table: parts of [A-Za-z0-9._+-] between '/' */
    const char *file;        /* its job file */
    const char *const *sets; /* [n_sets]: "key=value", what the zoo makes of it */
    size_t n_sets;
    struct zoo_gates gates;
};

struct zoo {
    struct arena *arena; /* the zoo itself lives in it */
    const char *output;  /* folder */
    size_t ranks_per_job;
    char isa[32];                /* engine.isa of every job, once zoo_run has begun */
    const struct yaml *defaults; /* NULL: none */
    size_t n_jobs;
    struct zoo_job *jobs; /* in the order of the file, globs sorted */
};

/* Reads ZOO.yaml; sets[0..n_sets) are for every job. EX_NOINPUT: the file, or a glob without files; EX_CONFIG
 * naming line and column, two jobs of one name, a key or value of the matrix that no job can be read with, whatever
 * stands beside it. */
struct zoo *zoo_read(const char *path, const char *const *sets, size_t n_sets, struct error *err);
void zoo_destroy(struct zoo *zoo); /* NULL is allowed */

/* What has become of one job; plain data, which ranks exchange. */
struct zoo_outcome {
    uint8_t is_chosen;           /* else it was none of this call's jobs */
    uint8_t was_run;             /* calibrated now; else its results were there, or it failed before */
    uint8_t has_results;         /* its folder holds what this very job has brought, maybe less some targets */
    int32_t code;                /* 0, or what it failed with */
    double seconds;              /* of the calibration */
    char text[ERROR_TEXT_BYTES]; /* why it failed */
};

void zoo_note_failure(struct zoo_outcome *outcome, const struct error *err);

struct zoo_choice {
    const char *only;   /* glob over names; NULL: all */
    size_t part, parts; /* of an array of calls, jobs are dealt out to `parts` of them; 0 of 1: all */
    bool force;         /* finished jobs too */
};

/* Collective. Runs the chosen jobs whose results are not there: each by ranks_per_job ranks, the dearest first.
 * costs[n_jobs]: seconds, as far as they are known; those of rank 0 count. All jobs have one engine.isa, that of the
 * first, since a process has one. EX_CONFIG: ranks see different zoos. A job's failure is its outcome; -1: SIGUSR1
 * (EX_TEMPFAIL), memory. outcomes[n_jobs] are the same on every rank. */
int zoo_run(const struct comm *comm, struct zoo *zoo, const struct zoo_choice *choice, double *costs,
            struct zoo_outcome *outcomes, struct error *err);

/* --- zoo_lock.c --- */

/* Rank 0: makes the zoo's folder, and keeps it for one call, or for any number of those that are parts. Returns a
 * descriptor; who closes it lets go. EX_CANTCREAT: cannot be written, or another call is at work. */
int zoo_lock(const struct zoo *zoo, bool is_part, struct error *err);

/* --- zoo_results.c: what is said of a job's results --- */

/* {"fingerprint", "fp32", "targets": {name: {accuracies, "thresholds": {value: T}}}} of a folder's report.json, to be
 * freed; NULL where no run has ended. EX_NOINPUT, EX_DATAERR: one has, and its report cannot be read, or is none. */
int zoo_results(const char *folder, json_t **results, struct error *err);
/* Adds "since_accepted" to every target of the results, "gates": a sentence for each gate that fails, and "not_judged":
 * the names of those that are asked for and have no figure to be judged by, if any. Where the figure was known on the
 * accepted night, that is a failure; where the whole target is gone, it is entered with that gate only. Thresholds are
 * taken out. accepted: zoo_results of that night, or NULL. Returns how many failed, and adds to *n_unjudged. */
size_t zoo_judge(json_t *results, const json_t *accepted, const struct zoo_gates *gates, size_t *n_unjudged);

/* --- zoo_night.c: {"date", "jobs": {name: results and "status", "seconds", "error", "code"}} --- */

struct zoo_night {
    json_t *root;
    size_t n_run, n_same, n_failed; /* jobs */
    size_t n_gates, n_unjudged;     /* gates that fail, and that nothing can be said of */
    int code;                       /* of the first job that failed */
};

/* From the results of all jobs, judged; `before` is the zoo.json of the night before (NULL: none). EX_OSERR. */
int zoo_night_create(const struct zoo *zoo, const struct zoo_outcome *outcomes, const json_t *before,
                     const json_t *accepted, struct zoo_night *night, struct error *err);
/* Did this job of a zoo.json fail? Then *outcome gets its code and text. */
bool zoo_recall_failure(const json_t *job, struct zoo_outcome *outcome);
/* A file of the zoo's folder, to be freed; NULL where it is not there. EX_DATAERR: it is damaged, EX_NOINPUT: it cannot
 * be read. Neither is taken for a file that is not there. */
int zoo_load(const struct zoo *zoo, const char *name, json_t **root, struct error *err);

/* --- zoo_write.c --- */

/* Rank 0: a line for each target of jobs that are new or not good, and a sum. */
void zoo_print(const struct zoo_night *night, FILE *out);
/* Rank 0: zoo.json, history.json (a night in which nothing changed is left out), junit.xml and index.html. */
int zoo_write(const struct zoo *zoo, const struct zoo_night *night, struct error *err);
/* --- zoo_history.c --- */

/* Enters a night in which something changed. One that says what the last has said takes its place: it may be told again
 * because a file that is written later has failed. The last ZOO_HISTORY_NIGHTS are kept, and of long ones no more than
 * ZOO_HISTORY_BYTES of JSON without blanks, but the night itself in any case. EX_DATAERR: no list of nights. */
enum { ZOO_HISTORY_NIGHTS = 1000, ZOO_HISTORY_BYTES = 1 << 24 };
int zoo_write_history(const struct zoo *zoo, const struct zoo_night *night, struct output *output, struct error *err);

/* --- zoo_accept.c --- */

struct zoo_acceptance {
    size_t n;        /* jobs that were accepted */
    size_t n_failed; /* jobs that were not, since they failed on the last night */
    int code;        /* of the first of these */
};

/* Rank 0, holding the zoo's lock: the results that are there now become the accepted ones, of jobs named like `only`
 * (NULL: all) that did not fail on the last night; a warning for each that did. Of all, what was accepted of a job that
 * is none of the zoo's any more is dropped, which a line says. */
int zoo_accept(const struct zoo *zoo, const char *only, struct zoo_acceptance *acceptance, struct error *err);

#endif
