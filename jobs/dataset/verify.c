/* verify.c — `etalon dataset verify`: does every record decode, and is the set what it should be?
 */
#include "coordinator/dataset_verify.h"
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include "common/printable.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_range(const char *before, const struct verify_range *range)
{
    if (range->min == range->max)
        printf("%s%" PRId64, before, range->min);
    else
        printf("%s%" PRId64 "..%" PRId64, before, range->min, range->max);
}

static void print_result(const char *kind, const struct verify_result *result)
{
    const struct verify_counts *counts = &result->counts;
    uint64_t n_good = counts->n_records - counts->n_bad;

    for (size_t i = 0; i < result->n_told; i++) {
        printf("bad: ");
        printable_print(result->told[i], stdout);
        printf("\n");
    }
    if (counts->n_bad > result->n_told)
        printf("bad: and %" PRIu64 " more\n", counts->n_bad - result->n_told);
    printf("dataset of kind %s: %" PRIu64 " records, %" PRIu64 " bad\n", kind, counts->n_records, counts->n_bad);
    if (n_good > 0) {
        print_range("sizes: ", &counts->channels);
        print_range(" x ", &counts->height);
        print_range(" x ", &counts->width);
        printf(", %" PRIu64 " of bytes, %" PRIu64 " of floats\n", n_good - counts->n_floats, counts->n_floats);
        if (counts->n_unlabelled < n_good)
            print_range("labels: ", &counts->label);
        else
            printf("labels: none");
        printf(", %" PRIu64 " without\n", counts->n_unlabelled);
    }
    printf("checksum: %s\n", result->checksum);
}

static int judge(const struct verify_result *result, const char *path, const char *checksum, struct error *err)
{
    if (result->counts.n_bad > 0)
        return error_set(err, EX_DATAERR, "%s: %" PRIu64 " of %" PRIu64 " records are bad", path, result->counts.n_bad,
                         result->counts.n_records);
    if (checksum != NULL && strcmp(checksum, result->checksum) != 0)
        return error_set(err, EX_DATAERR, "%s: expected checksum %s, found %s", path, checksum, result->checksum);
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct verify_options verify = {0};
    struct verify_result result = {0};
    struct dataset_source source = {0};
    const char *words[1], *labels = NULL, *checksum = NULL;
    bool wants_help = false;
    size_t n_words;
    int rc;
    const struct option options[] = {
        {"check_size", 0, OPTION_FLAG, &verify.is_size_checked, NULL, "every record must have the first one's size"},
        {"labels", 0, OPTION_TEXT, &labels, "N", "labels must be 0 to N - 1"},
        {"checksum", 0, OPTION_TEXT, &checksum, "HEX", "what an earlier run has printed must come out"},
        DATASET_SOURCE_OPTIONS(&source),
        {0},
    };

    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "dataset verify PATH [options]",
                         "Reads and decodes every record, names the bad ones, and prints sizes, labels and a checksum\n"
                         "of the content. Under mpirun the ranks share the records. Exits with 65 if any is bad.\n\n"
                         "Example: mpirun -n 8 etalon dataset verify train_lmdb --check_size --labels 1000\n",
                         options);
    if (n_words != 1)
        return error_set(err, EX_USAGE, "dataset verify needs PATH");
    if (dataset_number("labels", labels, &verify.n_labels, err) != 0 ||
        dataset_source_request(&source, words[0], &verify.source, err) != 0)
        return -1;
    rc = dataset_verify(comm, &verify, &result, err);
    if (rc == 0 && comm->rank == 0) {
        print_result(verify.source.kind, &result);
        rc = judge(&result, words[0], checksum, err);
    }
    verify_result_fini(&result);
    return comm_agree(comm, rc, err);
}

const struct dataset_verb dataset_verb_verify = {"verify", true, run};
