/* emit.c — `etalon emit`: models again from an archive, without data. */
#include "jobs/job.h"
#include "jobs/verb.h"

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct option_list sets = {0};
    struct emit_request emit = {0};
    struct archive archive = {0};
    bool force = false, wants_help = false;
    const char *words[1];
    size_t n_words;
    const struct option options[] = {
        {"model", 'm', OPTION_TEXT, &emit.model, "FILE", "the model that the archive is of"},
        {"weights", 'w', OPTION_TEXT, &emit.weights, "FILE", "its weights, where the format has two files"},
        {"output", 'o', OPTION_TEXT, &emit.output, "DIR", "folder for the models"},
        {"set", 0, OPTION_LIST, &sets, "KEY=VALUE", "another method or target, e.g. calibration.activations=kl"},
        {"force", 0, OPTION_FLAG, &force, NULL, "replace a finished output folder of another archive or job"},
        {0},
    };
    struct job *job = NULL;
    int rc = options_read(argc, argv, options, words, 1, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return comm->rank > 0
                   ? 0
                   : verb_help(
                         "emit ARCHIVE.h5 --model FILE --output DIR [options]",
                         "Decides and writes models again from the statistics of an archive: no data, no inference.\n"
                         "Without --set they are the bits of the run that wrote the archive.\n\n"
                         "Example: etalon emit out/resnet20/archive.h5 --model resnet20.onnx --output again \\\n"
                         "             --set targets=[tnn] --set calibration.bias_correction=analytic\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = error_set(err, EX_USAGE, "emit needs one archive");
    if (rc == 0 && (emit.model == NULL || emit.output == NULL))
        rc = error_set(err, EX_USAGE, "emit needs %s", emit.model == NULL ? "--model" : "--output");
    emit.sets = sets.items;
    emit.n_sets = sets.n;
    if (rc == 0 &&
        (archive_read(words[0], &archive, err) != 0 || (job = job_from_archive(&archive, &emit, err)) == NULL))
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        job_request(job)->force = force;
        rc = run_emit(comm, job_request(job), &archive, err);
    }
    job_destroy(job);
    archive_fini(&archive);
    return rc;
}

const struct verb verb_emit = {
    "emit",
    "models again from an archive, without data",
    true,
    run,
};
