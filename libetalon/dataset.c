/* dataset.c — see etalon/dataset.h. */
#include "etalon/dataset.h"

#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_write.h"
#include "formats/records/new_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert((int)ETALON_ERROR_BYTES == (int)ERROR_TEXT_BYTES, "messages fit");

enum {
    NAME_BYTES = 256,        /* of an input, with its zero: that of a folder */
    KEY_NAME_MAX_BYTES = 470 /* "%08d_" before it, a few digits more, and LMDB's 511 */
};

struct input {
    char name[NAME_BYTES];
    struct etalon_tensor first; /* its dims: every record's are the same */
    size_t n_values;
    struct lmdb_writer *writer;
};

struct etalon_dataset {
    char folder[PATH_MAX];
    struct new_folder parts; /* of several inputs; one writes into `folder` itself */
    size_t n_inputs;         /* 0 before the first record */
    struct input inputs[ETALON_MAX_TENSORS];
    uint64_t n_records;
    uint8_t *message; /* grows */
    size_t message_capacity;
    bool has_failed;
};

static int tell(const struct error *err, struct etalon_error *error)
{
    if (error != NULL) {
        error->code = err->code;
        memcpy(error->text, err->text, sizeof error->text);
    }
    return -1;
}

const char *etalon_version(void)
{
    return ETALON_VERSION;
}

/* Whether the folder can be made is seen now, and not after an hour's work. */
static int probe(const char *path, struct error *err)
{
    struct new_folder folder;

    if (new_folder_open(&folder, path, err) < 0)
        return -1;
    new_folder_cancel(&folder);
    return 0;
}

struct etalon_dataset *etalon_dataset_create(const char *folder, struct etalon_error *error)
{
    struct error err = {0};
    struct etalon_dataset *dataset = NULL;

    if (folder == NULL || strlen(folder) >= sizeof dataset->folder)
        error_set(&err, EX_USAGE, "expected the path of a folder");
    else if (probe(folder, &err) == 0)
        dataset = memory_create(1, sizeof *dataset, "a dataset", &err);
    if (dataset == NULL) {
        tell(&err, error);
        return NULL;
    }
    memcpy(dataset->folder, folder, strlen(folder) + 1);
    return dataset;
}

/* ---- Checks: all of them before anything is written, so that a wrong call changes nothing. */

static int check_tensor(const struct etalon_tensor *tensor, size_t *n_values, struct error *err)
{
    const char *name = tensor->name == NULL ? "the tensor" : tensor->name;

    if (tensor->values == NULL || tensor->rank == 0 || tensor->rank > ETALON_MAX_RANK)
        return error_set(err, EX_USAGE, "%s: expected values of rank 1 to %d, found rank %zu", name, ETALON_MAX_RANK,
                         tensor->rank);
    *n_values = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] <= 0 || tensor->dims[i] > INT32_MAX ||
            !size_multiply(*n_values, (size_t)tensor->dims[i], n_values) || *n_values > RECORD_MAX_ELEMENTS)
            return error_set(err, EX_USAGE, "%s: dim %zu is %lld: expected at most %d values", name, i,
                             (long long)tensor->dims[i], RECORD_MAX_ELEMENTS);
    return 0;
}

static int check_same(const struct input *input, const struct etalon_tensor *tensor, struct error *err)
{
    const char *name = tensor->name == NULL ? "" : tensor->name;
    const char *expected = input->first.name == NULL ? "" : input->first.name;

    if (strcmp(expected, name) != 0)
        return error_set(err, EX_USAGE, "expected tensor \"%s\" as in the first record, found \"%s\"", expected, name);
    if (input->first.rank != tensor->rank ||
        memcmp(input->first.dims, tensor->dims, tensor->rank * sizeof *tensor->dims) != 0)
        return error_set(err, EX_USAGE, "tensor \"%s\": expected the dims of the first record", name);
    return 0;
}

static int check_call(const struct etalon_dataset *dataset, const char *name, const struct etalon_tensor *tensors,
                      size_t n, struct error *err)
{
    size_t n_values;

    if (dataset->has_failed)
        return error_set(err, EX_IOERR, "%s: writing has failed before", dataset->folder);
    if (n == 0 || n > ETALON_MAX_TENSORS || tensors == NULL)
        return error_set(err, EX_USAGE, "expected 1 to %d tensors, found %zu", ETALON_MAX_TENSORS, n);
    if (dataset->n_inputs != 0 && n != dataset->n_inputs)
        return error_set(err, EX_USAGE, "expected %zu tensors as in the first record, found %zu", dataset->n_inputs, n);
    if (name != NULL && strlen(name) > KEY_NAME_MAX_BYTES)
        return error_set(err, EX_USAGE, "expected a name of at most %d bytes, found %zu", KEY_NAME_MAX_BYTES,
                         strlen(name));
    for (size_t i = 0; i < n; i++)
        if (check_tensor(&tensors[i], &n_values, err) < 0 ||
            (dataset->n_inputs != 0 && check_same(&dataset->inputs[i], &tensors[i], err) < 0))
            return -1;
    return 0;
}

/* ---- The first record decides what there is. */

/* The name of an input as that of a folder. */
static int name_part(const struct etalon_tensor *tensor, char name[NAME_BYTES], struct error *err)
{
    size_t n = tensor->name == NULL ? 0 : strlen(tensor->name);

    if (n == 0 || n >= NAME_BYTES)
        return error_set(err, EX_USAGE, "expected a name of 1 to %d bytes for each of several tensors, found %zu",
                         NAME_BYTES - 1, n);
    for (size_t i = 0; i <= n; i++) {
        char c = tensor->name[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                        c == '-' || (c == '.' && i > 0);

        name[i] = c == '\0' || is_plain ? c : '_';
    }
    return 0;
}

static int name_parts(struct etalon_dataset *dataset, const struct etalon_tensor *tensors, size_t n, struct error *err)
{
    for (size_t i = 0; n > 1 && i < n; i++) {
        if (name_part(&tensors[i], dataset->inputs[i].name, err) < 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (strcmp(dataset->inputs[i].name, dataset->inputs[k].name) == 0)
                return error_set(err, EX_USAGE, "tensors \"%s\" and \"%s\" would both be written to \"%s\"",
                                 tensors[k].name, tensors[i].name, dataset->inputs[i].name);
    }
    return 0;
}

static int open_input(struct etalon_dataset *dataset, size_t i, const struct etalon_tensor *tensor, struct error *err)
{
    struct input *input = &dataset->inputs[i];
    char path[PATH_MAX + NAME_BYTES];

    input->first = *tensor;
    input->first.values = NULL;
    if (tensor->name != NULL && (input->first.name = strdup(tensor->name)) == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu bytes for a name", strlen(tensor->name) + 1);
    if (check_tensor(tensor, &input->n_values, err) < 0)
        return -1;
    if (dataset->n_inputs == 1)
        snprintf(path, sizeof path, "%s", dataset->folder);
    else
        snprintf(path, sizeof path, "%s/%s", dataset->parts.temporary, input->name);
    input->writer = lmdb_writer_open(path, err);
    return input->writer == NULL ? -1 : 0;
}

static int open_inputs(struct etalon_dataset *dataset, const struct etalon_tensor *tensors, size_t n, struct error *err)
{
    if (name_parts(dataset, tensors, n, err) < 0)
        return -1;
    dataset->has_failed = true; /* until all are open */
    if (n > 1 && new_folder_open(&dataset->parts, dataset->folder, err) < 0)
        return -1;
    dataset->n_inputs = n;
    for (size_t i = 0; i < n; i++)
        if (open_input(dataset, i, &tensors[i], err) < 0)
            return -1;
    dataset->has_failed = false;
    return 0;
}

/* ---- Records */

/* A Datum has three dims: what is missing is 1, what is too much joins the last. */
static int put(struct etalon_dataset *dataset, const struct input *input, const char *key, int32_t label,
               const struct etalon_tensor *tensor, struct error *err)
{
    struct datum datum = {.label = label, .channels = tensor->dims[0], .height = 1, .width = 1};
    size_t size;

    datum.n_values = input->n_values;
    if (tensor->rank > 1)
        datum.height = tensor->dims[1];
    datum.width = (int64_t)datum.n_values / datum.channels / datum.height;
    if (datum.width > INT32_MAX)
        return error_set(err, EX_USAGE, "the last dims together exceed %d", INT32_MAX);
    if (memory_grow((void **)&dataset->message, &dataset->message_capacity, datum_bound(&datum) - 1, 1, "a record",
                    err) < 0)
        return -1;
    size = datum_write(&datum, tensor->values, dataset->message);
    return lmdb_writer_put(input->writer, key, dataset->message, size, err);
}

int etalon_dataset_append(struct etalon_dataset *dataset, const char *name, int32_t label,
                          const struct etalon_tensor *tensors, size_t n_tensors, struct etalon_error *error)
{
    struct error err = {0};
    char key[KEY_NAME_MAX_BYTES + 32];

    if (check_call(dataset, name, tensors, n_tensors, &err) < 0 ||
        (dataset->n_inputs == 0 && open_inputs(dataset, tensors, n_tensors, &err) < 0))
        return tell(&err, error);
    snprintf(key, sizeof key, "%08llu%s%s", (unsigned long long)dataset->n_records, name == NULL ? "" : "_",
             name == NULL ? "" : name);
    for (size_t i = 0; i < n_tensors; i++)
        if (put(dataset, &dataset->inputs[i], key, label, &tensors[i], &err) < 0) {
            dataset->has_failed = true; /* inputs before this one have the record */
            return tell(&err, error);
        }
    dataset->n_records++;
    return 0;
}

/* ---- Ends */

static void destroy(struct etalon_dataset *dataset)
{
    for (size_t i = 0; i < dataset->n_inputs; i++) {
        lmdb_writer_cancel(dataset->inputs[i].writer);
        free((void *)(uintptr_t)dataset->inputs[i].first.name); /* our copy */
    }
    if (dataset->parts.temporary[0] != '\0')
        new_folder_cancel(&dataset->parts);
    free(dataset->message);
    free(dataset);
}

void etalon_dataset_cancel(struct etalon_dataset *dataset)
{
    if (dataset != NULL)
        destroy(dataset);
}

static int commit(struct etalon_dataset *dataset, struct error *err)
{
    if (dataset->has_failed)
        return error_set(err, EX_IOERR, "%s: writing has failed before", dataset->folder);
    if (dataset->n_records == 0)
        return error_set(err, EX_USAGE, "%s: expected at least one record", dataset->folder);
    for (size_t i = 0; i < dataset->n_inputs; i++) {
        struct lmdb_writer *writer = dataset->inputs[i].writer;

        dataset->inputs[i].writer = NULL; /* ended, whatever comes of it */
        if (lmdb_writer_commit(writer, err) < 0)
            return -1;
    }
    if (dataset->n_inputs > 1) {
        int rc = new_folder_commit(&dataset->parts, err);

        dataset->parts.temporary[0] = '\0'; /* renamed or removed */
        return rc;
    }
    return 0;
}

int etalon_dataset_commit(struct etalon_dataset *dataset, struct etalon_error *error)
{
    struct error err = {0};
    int rc = commit(dataset, &err);

    destroy(dataset);
    return rc == 0 ? 0 : tell(&err, error);
}
