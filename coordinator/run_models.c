/* run_models.c — the models of all targets, each written by one rank, and the archive; see run_private.h.
 *
 * Plans are the same on all ranks, and a target's files follow from its plan alone: who writes them leaves no trace in
 * them. Rank 0 takes the names and digests of what the others wrote, in the order of the job's targets.
 */
#include "coordinator/run_private.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/inputs.h"
#include "coordinator/join.h"
#include "coordinator/keep.h"
#include "coordinator/plan_decide.h"

#include <stdlib.h>
#include <string.h>

/* What one rank has to do, in sizes of the model that go through its hands. */
enum {
    WEIGHT_OF_TARGET = 4, /* of one that does not say */
    WEIGHT_OF_ARCHIVE = 2 /* which rank 0 writes besides */
};

/* ---- What a target is told */

/* Removes what a target has left that could not be finished. */
static int remove_files(struct output *output, size_t first, struct error *err)
{
    const struct output_file *files;
    size_t n = output_files(output, &files);

    for (size_t i = first; i < n; i++)
        if (output_remove(output, files[i].name, err) != 0)
            return -1;
    return 0;
}

static int write_target(struct report_target *t, const struct emit_info *info, struct output *output, struct error *err)
{
    const struct target *target = t->target;
    const struct output_file *files;
    int rc = 0;

    t->first_file = output_files(output, &files);
    if (target->emit_float != NULL) {
        rc = target->emit_float(t->plan, info, output, err);
        memory_give_back();
    }
    if (rc == 0 && !target->writes_no_codes && plan_make_codes(t->plan, err) != 0)
        return -1;
    if (rc == 0)
        rc = target->emit(t->plan, info, output, err);
    if (rc != 0) {
        if (err->code != EX_UNAVAILABLE)
            return error_in(err, "target %s", target->name);
        t->error = *err;
        *err = (struct error){0};
        return remove_files(output, t->first_file, err);
    }
    t->n_files = output_files(output, &files) - t->first_file;
    return 0;
}

static int write_dealt(struct run *run, const int *writer, const struct emit_records *records, struct output *output,
                       struct error *err)
{
    const struct preprocess_plan *preprocess[DATASET_MAX_INPUTS];
    struct emit_info info = {.version = ETALON_VERSION,
                             .records = run->records.n_used,
                             .method = run->request->calibration.activations->name,
                             .model_name = run->request->model_name,
                             .preprocess = preprocess,
                             .settings = &run->request->target_settings,
                             .percentile = run->request->calibration.percentile,
                             .model = &run->request->model,
                             .importer = run->importer,
                             .records_of_calibration = records};

    if (run_may_be_reals(run, &info.may_be_reals, err) != 0)
        return error_in(err, "dataset");
    for (size_t i = 0; i < run->graph->n_inputs; i++)
        preprocess[i] = inputs_preprocess(run->request, run->graph->values[run->graph->inputs[i]].name);
    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        if (t->plan == NULL || writer[i] != run->comm->rank)
            continue;
        info.fingerprint = t->fingerprint;
        if (write_target(t, &info, output, err) != 0)
            return -1;
        plan_drop_codes(t->plan);
        memory_give_back();
    }
    return 0;
}

/* With what the data set has to offer, where there is one. */
static int write_own(struct run *run, const int *writer, struct output *output, struct error *err)
{
    struct record_reader reader;
    int rc;

    if (run->dataset == NULL)
        return write_dealt(run, writer, NULL, output, err);
    if (record_reader_init(&reader, run, err) != 0)
        return -1;
    rc = write_dealt(run, writer, &reader.records, output, err);
    record_reader_fini(&reader);
    return rc;
}

/* ---- Who writes what */

/* Collective. load[rank] is UINT64_MAX where a rank does not see the output folder. */
static int join(struct run *run, uint64_t *load, struct output **output, struct error *err)
{
    size_t size = (size_t)run->comm->size;
    bool *sees = memory_create(size, sizeof *sees, "a list of ranks", err);
    int rc = comm_agree(run->comm, sees == NULL ? -1 : 0, err);

    if (rc == 0)
        rc = join_output(run->comm, run->request->output, run->output, output, sees, err);
    for (size_t r = 0; rc == 0 && r < size; r++)
        load[r] = !sees[r] ? UINT64_MAX : r == 0 ? WEIGHT_OF_ARCHIVE : 0;
    free(sees);
    return rc;
}

static uint64_t weight_of(const struct target *target)
{
    return target->weight > 0 ? target->weight : WEIGHT_OF_TARGET;
}

/* The heaviest first, each to the rank that has least: writer[target]. */
static void deal(const struct run *run, uint64_t *load, int *writer)
{
    size_t n = run->request->n_targets;
    bool is_dealt[RUN_MAX_TARGETS] = {false};

    for (size_t turn = 0; turn < n; turn++) {
        size_t heaviest = n;
        int idlest = 0;

        for (size_t i = 0; i < n; i++)
            if (!is_dealt[i] &&
                (heaviest == n || weight_of(run->targets[i].target) > weight_of(run->targets[heaviest].target)))
                heaviest = i;
        for (int rank = 1; rank < run->comm->size; rank++)
            idlest = load[rank] < load[idlest] ? rank : idlest;
        is_dealt[heaviest] = true;
        writer[heaviest] = idlest;
        load[idlest] += run->targets[heaviest].plan == NULL ? 0 : weight_of(run->targets[heaviest].target);
    }
}

/* ---- What rank 0 hears of it: of each file its size and digest, and its name with a final 0 */

struct file_line {
    uint64_t size_bytes;
    char sha256[SHA256_HEX_BYTES];
};

static int pack(const struct output *output, const struct report_target *t, struct buffer *lines, struct error *err)
{
    const struct output_file *files;
    int rc = 0;

    output_files(output, &files);
    for (size_t i = t->first_file; rc == 0 && i < t->first_file + t->n_files; i++) {
        struct file_line line = {.size_bytes = files[i].size_bytes};

        memcpy(line.sha256, files[i].sha256, sizeof line.sha256);
        rc = buffer_add(lines, &line, sizeof line, "names of files", err);
        if (rc == 0)
            rc = buffer_add(lines, files[i].name, strlen(files[i].name) + 1, "names of files", err);
    }
    return rc;
}

static int unpack(struct run *run, struct report_target *t, const struct buffer *lines, struct error *err)
{
    const struct output_file *files;

    t->first_file = output_files(run->output, &files);
    for (size_t at = 0; at < lines->size;) {
        struct output_file file;
        struct file_line line;

        memcpy(&line, lines->data + at, sizeof line);
        file.name = (char *)lines->data + at + sizeof line;
        file.size_bytes = line.size_bytes;
        memcpy(file.sha256, line.sha256, sizeof file.sha256);
        at += sizeof line + strlen(file.name) + 1;
        if (output_adopt(run->output, &file, err) != 0)
            return -1;
    }
    t->n_files = output_files(run->output, &files) - t->first_file;
    return 0;
}

/* Collective. A rank that has failed goes on to take and give, that no other waits for it. */
static int collect(struct run *run, const int *writer, const struct output *output, struct error *err)
{
    int rank = run->comm->rank, rc = 0;

    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];
        struct buffer lines = {0};

        if (writer[i] == rank && pack(output, t, &lines, err) != 0) {
            lines.size = 0;
            rc = -1;
        }
        if (rank == 0 && writer[i] > 0 &&
            comm_take(writer[i], (void **)&lines.data, &lines.capacity, &lines.size, err) != 0)
            rc = -1;
        if (rank == 0 && rc == 0)
            rc = unpack(run, t, &lines, err);
        if (rank > 0 && writer[i] == rank)
            comm_give(lines.data, lines.size);
        free(lines.data);
    }
    return rc;
}

static void tell_errors(struct run *run)
{
    struct error errors[RUN_MAX_TARGETS] = {{0}};
    size_t n = run->request->n_targets;

    for (size_t i = 0; i < n; i++)
        if (run->targets[i].plan != NULL)
            errors[i] = run->targets[i].error;
    comm_unite(run->comm, errors, n * sizeof *errors);
    for (size_t i = 0; i < n; i++)
        if (run->targets[i].plan != NULL)
            run->targets[i].error = errors[i];
    run_report_failures(run);
}

static int write_archive(struct run *run, struct error *err)
{
    struct report report = run_report(run);

    return keep_archive(&report, run->measured, run->output, err);
}

/* The codes of all plans are several times the model, and one plan is written at a time. */
static void make_room(struct run *run)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL)
            plan_drop_codes(run->targets[i].plan);
    memory_give_back();
}

int run_write_models(struct run *run, struct error *err)
{
    uint64_t *load = memory_create((size_t)run->comm->size, sizeof *load, "a list of ranks", err);
    struct output *output = NULL;
    int writer[RUN_MAX_TARGETS], rc = comm_agree(run->comm, load == NULL ? -1 : 0, err);

    if (rc == 0)
        rc = join(run, load, &output, err);
    if (rc == 0) {
        bool spoke = log_speak_for_itself(true);

        deal(run, load, writer);
        rc = run->comm->rank == 0 ? write_archive(run, err) : 0;
        make_room(run);
        rc = comm_agree(run->comm, rc == 0 ? write_own(run, writer, output, err) : -1, err);
        log_speak_for_itself(spoke);
    }
    if (rc == 0) {
        rc = comm_agree(run->comm, collect(run, writer, output, err), err);
        tell_errors(run);
    }
    output_close(output);
    free(load);
    return rc;
}

/* ---- Targets that fail alone */

/* The names of the targets from `first` on that fail for its reason. */
static void list_names(struct run *run, size_t first, char *names, size_t size)
{
    size_t length = 0;

    for (size_t i = first; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        if (strcmp(t->error.text, run->targets[first].error.text) != 0)
            continue;
        t->is_failure_told = true;
        if (length < size)
            length += (size_t)snprintf(names + length, size - length, "%s%s", length == 0 ? "" : ", ", t->target->name);
    }
}

void run_report_failures(struct run *run)
{
    for (size_t i = 0; i < run->request->n_targets; i++) {
        char names[512];

        if (run->targets[i].error.code == 0 || run->targets[i].is_failure_told)
            continue;
        list_names(run, i, names, sizeof names);
        if (run->comm->rank == 0)
            log_error("target %s: %s", names, run->targets[i].error.text);
    }
}

int run_verdict(const struct run *run, struct error *err)
{
    char names[512] = "";
    size_t n = 0, length = 0;

    for (size_t i = 0; i < run->request->n_targets; i++) {
        if (run->targets[i].error.code == 0)
            continue;
        if (length < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", n == 0 ? "" : ", ",
                                       run->targets[i].target->name);
        n++;
    }
    if (n == 0)
        return 0;
    return error_set(err, EX_UNAVAILABLE, "%zu of %zu targets %s not possible: %s", n, run->request->n_targets,
                     n == 1 ? "is" : "are", names);
}
