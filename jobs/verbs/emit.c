/* emit.c — `etalon emit`: models again from an archive, without data. */
#include "jobs/job.h"
#include "jobs/verb.h"

/* What is asked for, and the jobs that come of it. */
struct emission {
    struct emit_request emit;
    const char *archive_path, *job_path; /* the latter NULL: no records */
    struct archive archive;
    struct job *source;   /* what job_path holds: where model and records lie */
    struct job *job;      /* the archive's, with what --set changes */
    struct job *measured; /* the archive's as it was; NULL: no records are shipped */
    struct option_list sets;
};

static void emission_fini(struct emission *e)
{
    job_destroy(e->measured);
    job_destroy(e->job);
    job_destroy(e->source);
    archive_fini(&e->archive);
}

/* A job that says where the records are says where its model is, too. */
static int read_source(struct emission *e, struct error *err)
{
    if (e->job_path == NULL)
        return 0;
    if ((e->source = job_read(e->job_path, NULL, 0, err)) == NULL)
        return -1;
    if (e->emit.model == NULL) {
        e->emit.model = job_request(e->source)->model.file;
        e->emit.weights = e->emit.weights == NULL ? job_request(e->source)->model.weights : e->emit.weights;
    }
    return 0;
}

static bool ships_records(const struct run_request *request)
{
    for (size_t i = 0; i < request->n_targets; i++)
        if (request->targets[i]->ships_records)
            return true;
    return false;
}

static int read_files(struct emission *e, struct error *err)
{
    struct emit_request as_it_was;

    if (read_source(e, err) != 0 || archive_read(e->archive_path, &e->archive, err) != 0)
        return -1;
    as_it_was = e->emit;
    as_it_was.n_sets = 0;
    if ((e->job = job_from_archive(&e->archive, &e->emit, err)) == NULL)
        return -1;
    if (e->source == NULL || !ships_records(job_request(e->job)))
        return 0;
    if ((e->measured = job_from_archive(&e->archive, &as_it_was, err)) == NULL)
        return -1;
    job_take_data(e->job, e->source);
    job_take_data(e->measured, e->source);
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct emission e = {0};
    bool force = false, wants_help = false;
    const char *words[1] = {NULL};
    size_t n_words;
    const struct option options[] = {
        {"model", 'm', OPTION_TEXT, &e.emit.model, "FILE", "the model that the archive is of; default: that of --job"},
        {"weights", 'w', OPTION_TEXT, &e.emit.weights, "FILE", "its weights, where the format has two files"},
        {"output", 'o', OPTION_TEXT, &e.emit.output, "DIR", "folder for the models"},
        {"set", 0, OPTION_LIST, &e.sets, "KEY=VALUE", "another method or target, e.g. calibration.activations=kl"},
        {"job", 'j', OPTION_TEXT, &e.job_path, "JOB.yaml",
         "the run's job: its model, and for targets that ship calibration records its dataset"},
        {"force", 0, OPTION_FLAG, &force, NULL, "replace a finished output folder of another archive or job"},
        {0},
    };
    int rc = options_read(argc, argv, options, words, 1, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return verb_help(comm, "emit ARCHIVE.h5 (--model FILE | --job JOB.yaml) --output DIR [options]",
                         "Decides and writes models again from the statistics of an archive: no data, no inference.\n"
                         "Without --set they are the bits of the run that wrote the archive.\n\n"
                         "Example: etalon emit out/resnet20/archive.h5 --model resnet20.onnx --output again \\\n"
                         "             --set targets=[tnn] --set calibration.bias_correction=analytic\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = error_set(err, EX_USAGE, "emit needs one archive");
    if (rc == 0 && ((e.emit.model == NULL && e.job_path == NULL) || e.emit.output == NULL))
        rc = error_set(err, EX_USAGE, "emit needs %s", e.emit.output == NULL ? "--output" : "--model or --job");
    e.archive_path = words[0];
    e.emit.sets = e.sets.items;
    e.emit.n_sets = e.sets.n;
    rc = comm_agree(comm, rc == 0 ? read_files(&e, err) : -1, err);
    if (rc == 0) {
        job_request(e.job)->force = force;
        rc = run_emit(comm, job_request(e.job), e.measured == NULL ? NULL : job_request(e.measured), &e.archive, err);
    }
    emission_fini(&e);
    return rc;
}

const struct verb verb_emit = {
    "emit",
    "models again from an archive, without data",
    true,
    run,
};
