/* inspect.c — `etalon inspect`: prints any model, checkpoint, dataset or archive that Etalon reads. */
#include "common/log.h"
#include "common/preprocess_text.h"
#include "common/printable.h"
#include "formats/archive.h"
#include "formats/model_data.h"
#include "formats/torch/weights.h"
#include "jobs/dataset/dataset.h"
#include "jobs/job.h"
#include "jobs/model_options.h"
#include "jobs/show_archive.h"
#include "jobs/show_checkpoint.h"
#include "jobs/show_dataset.h"
#include "jobs/show_model.h"
#include "jobs/verb.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_TILES = 64, MAX_TILES = 10000 };

struct inspect_options {
    struct model_options model;
    bool with_passes, with_thresholds, as_json, force;
    const char *sheet, *tiles; /* of a job */
};

/* What a job that names no dataset or preprocessing would take from the model. What is wrong with it is that job's
 * affair, not of one who wants to see the network. */
static struct model_data describe_data(const char *path, const struct graph *graph)
{
    struct model_request request = {.file = path};
    struct model_data data, steps;
    struct error err = {0};

    if (model_describe_data(&request, graph, MODEL_DATA_RECORDS, &data, &err) != 0) {
        log_warning("%s", err.text);
        data = (struct model_data){0};
    }
    if (model_describe_data(&request, graph, MODEL_DATA_PREPROCESS, &steps, &err) != 0) {
        log_warning("%s", err.text);
    } else if (steps.has_preprocess) {
        data.origin = steps.origin;
        data.has_preprocess = true;
        data.preprocess = steps.preprocess;
    }
    return data;
}

static void print_data(const struct model_data *data)
{
    if (data->records.kind != NULL) {
        printf("\ndataset, from %s: %s in ", data->origin, data->records.kind);
        printable_print(data->records.list != NULL ? data->records.list : data->records.path, stdout);
        printf(", %" PRIu64 " at once\n", data->batch);
    }
    if (data->has_preprocess) {
        printf("preprocess, from %s:%s\n", data->origin, data->preprocess.n_steps == 0 ? " []" : "");
        preprocess_print(&data->preprocess, "  ", stdout);
    }
}

static int inspect_model(const char *path, const struct inspect_options *options, struct error *err)
{
    struct model_options model = options->model;
    struct model_data data = {0};
    struct graph *graph;
    int rc;

    model.is_normalised = model.is_normalised && !options->with_passes; /* which normalises, and watches */
    graph = model_options_import(&model, path, err);
    rc = graph == NULL ? -1 : 0;
    if (rc == 0)
        data = describe_data(path, graph);
    if (rc == 0 && options->as_json) {
        rc = show_json(graph, data.origin == NULL ? NULL : &data, options->with_passes, stdout, err);
    } else if (rc == 0) {
        rc = options->with_passes ? show_passes(graph, stdout, err) : 0;
        if (rc == 0)
            graph_print(graph, stdout);
        if (rc == 0)
            print_data(&data);
    }
    graph_destroy(graph);
    return rc;
}

static int inspect_dataset(const char *kind, const char *path, const struct inspect_options *options, struct error *err)
{
    const struct dataset_request request = {.kind = kind, .path = path};

    return show_dataset(&request, options->as_json, stdout, err);
}

static int inspect_archive(const char *path, const struct inspect_options *options, struct error *err)
{
    struct archive a = {0};
    int rc;

    if (archive_read(path, &a, err) != 0)
        return -1;
    rc = (options->as_json ? show_archive_json : show_archive)(&a, options->with_thresholds, stdout, err);
    archive_fini(&a);
    return rc;
}

static int inspect_checkpoint(const char *path, const struct inspect_options *options, struct error *err)
{
    struct torch_state *state = torch_read(path, err);
    int rc = state == NULL ? -1 : show_checkpoint(state, options->as_json, stdout, err);

    torch_destroy(state);
    return rc;
}

static bool is_hdf5(const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char head[sizeof signature - 1];
    FILE *file = fopen(path, "rb");
    bool is =
        file != NULL && fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, signature, sizeof head) == 0;

    if (file != NULL)
        fclose(file);
    return is;
}

static bool is_results(const char *folder)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/archive.h5", folder);
    return access(path, F_OK) == 0;
}

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Files that no reader of ours takes, but another program or verb. */
static int check_foreign(const char *path, struct error *err)
{
    uint8_t head[2] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file == NULL ? 0 : fread(head, 1, sizeof head, file);

    if (file != NULL)
        fclose(file);
    if (n == 2 && head[0] == 0x1f && head[1] == 0x8b)
        return error_set(err, EX_DATAERR, "%s: a gzip file: unpack it", path);
    if (ends(path, ".json"))
        return error_set(err, EX_USAGE, "%s: JSON is text for any program; of a run's results, inspect archive.h5",
                         path);
    if (ends(path, ".bin") || ends(path, ".raw"))
        return error_set(err, EX_USAGE,
                         "%s: raw numbers do not say what they are: etalon dataset verify %s --kind bin --shape DIMS",
                         path, path);
    return 0;
}

static bool holds_raw_numbers(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool holds = false;

    while (folder != NULL && !holds && (entry = readdir(folder)) != NULL)
        holds = ends(entry->d_name, ".bin") || ends(entry->d_name, ".raw");
    if (folder != NULL)
        closedir(folder);
    return holds;
}

/* A folder that was taken for a data set, and is none that can be read as it is. */
static int explain_folder(const char *kind, const char *path, struct error *err)
{
    if (holds_raw_numbers(path))
        return error_set(err, EX_USAGE,
                         "%s: holds raw numbers, which do not say what they are: etalon dataset verify %s --kind bin "
                         "--shape DIMS",
                         path, path);
    return error_in(err, "a folder is inspected as a data set, of kind %s", kind);
}

static int inspect(const char *path, const struct inspect_options *options, struct error *err)
{
    const char *kind;
    struct stat info;

    if (stat(path, &info) != 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", path, strerror(errno));
    if (options->with_thresholds && !is_hdf5(path))
        return error_set(err, EX_USAGE, "%s: --thresholds is of an archive (.h5)", path);
    if (is_results(path))
        return error_set(err, EX_USAGE,
                         "%s: a folder of results: inspect its archive.h5, or one of the models in its folders", path);
    kind = dataset_recognise(path);
    if (kind != NULL && inspect_dataset(kind, path, options, err) != 0)
        return S_ISDIR(info.st_mode) ? explain_folder(kind, path, err) : -1;
    if (kind != NULL)
        return 0;
    if (!S_ISREG(info.st_mode)) /* opening a pipe would wait for its writer */
        return error_set(err, EX_DATAERR, "%s: expected a regular file or a folder, found something else", path);
    if (is_hdf5(path))
        return inspect_archive(path, options, err);
    if (check_foreign(path, err) != 0)
        return -1;
    return torch_weights_recognise(path) ? inspect_checkpoint(path, options, err) : inspect_model(path, options, err);
}

static bool is_job(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Collective: a job's model and data are read as a run reads them. */
static int inspect_job(const struct comm *comm, const char *path, const struct inspect_options *options,
                       struct error *err)
{
    uint64_t n = DEFAULT_TILES;
    struct job *job = NULL;
    int rc = 0;

    if (options->sheet == NULL)
        rc = error_set(err, EX_USAGE,
                       "%s: of a job, --sheet FILE.png shows what its network is given; its network is shown by etalon "
                       "calibrate --dry-run",
                       path);
    if (rc == 0)
        rc = dataset_number("tiles", options->tiles, &n, err);
    if (rc == 0 && (n == 0 || n > MAX_TILES))
        rc = error_set(err, EX_USAGE, "--tiles: expected 1 to %d, found %" PRIu64, MAX_TILES, n);
    if (rc == 0 && (job = job_read(path, NULL, 0, err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        job_request(job)->force = options->force;
        rc = run_sheet(comm, job_request(job), (size_t)n, options->sheet, stdout, err);
    }
    job_destroy(job);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct inspect_options q = {0};
    const char *words[1];
    bool wants_help = false;
    size_t n_words;
    const struct option options[] = {
        MODEL_OPTIONS(&q.model),
        {"passes", 0, OPTION_FLAG, &q.with_passes, NULL, "what each pass does, then the normalised graph"},
        {"thresholds", 0, OPTION_FLAG, &q.with_thresholds, NULL, "of an archive: what each method would decide"},
        {"json", 0, OPTION_FLAG, &q.as_json, NULL, "the same as JSON"},
        {"sheet", 0, OPTION_TEXT, &q.sheet, "FILE.png", "of a job: what its network is given, as a picture"},
        {"tiles", 0, OPTION_TEXT, &q.tiles, "N", "records on it, evenly spaced (default 64)"},
        {"force", 0, OPTION_FLAG, &q.force, NULL, "replace the file of --sheet"},
        {0},
    };

    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "inspect FILE [options]",
                         "Prints a model (.onnx, .pb, .pbtxt, .prototxt, .tnnproto), a PyTorch checkpoint (.pth),\n"
                         "a dataset, or an archive; of a job, draws what its network is given.\n\n"
                         "Example: etalon inspect deploy.prototxt --weights net.caffemodel --normalised\n"
                         "         etalon inspect job.yaml --sheet input.png\n",
                         options);
    if (n_words != 1)
        return error_set(err, EX_USAGE, "inspect needs one file or folder");
    if (is_job(words[0]))
        return inspect_job(comm, words[0], &q, err);
    if (q.sheet != NULL || q.tiles != NULL)
        return error_set(err, EX_USAGE, "%s: --sheet needs a job (.yaml), which says how records are preprocessed",
                         words[0]);
    return comm->rank > 0 ? 0 : inspect(words[0], &q, err);
}

const struct verb verb_inspect = {"inspect", "print a model, checkpoint, dataset or archive", true, run};
