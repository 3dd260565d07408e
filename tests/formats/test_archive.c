/* test_archive.c — archive.h5 gives back what was put in, or an error: never other numbers.
 */
#include "common/output.h"
#include "formats/archive/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../common/root_folder.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- an archive with one of everything -------------------------------------------------------------------------- */

enum { BINS = 64, CHANNEL_BINS = 16, PART_BINS = 32, CHANNELS = 3, VALUES = 3, RECORDS = 9, BAD = 2, DECISIONS = 2 };

/* A pseudo-random number that is the same everywhere: splitmix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void fill_histogram(struct histogram *h, size_t bins, uint64_t seed, int has_negative)
{
    struct error err;
    float x[300];

    assert_int_equal(histogram_init(h, bins, &err), 0);
    for (size_t i = 0; i < 300; i++)
        x[i] = (float)(next(&seed) % 10000) / 700.0f - (has_negative ? 5.0f : 0.0f);
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = 0.0f;
    assert_int_equal(histogram_observe(h, x, 300, &err), 0);
}

static struct archive_value values[VALUES];
static struct histogram channels[CHANNELS];
static struct histogram parts[ARCHIVE_PARTS][VALUES], *part_list[ARCHIVE_PARTS];
static uint64_t part_blocks[] = {0, 1, 1, 1, 2, 2, 2, 3, 3};
static struct histogram top_two[2];
static struct exact_sum squares[CHANNELS];
static struct archive_decision decisions[DECISIONS];
static struct archive_channel scales[CHANNELS]; /* of decision 1 */
static struct archive_layer layers[] = {{"conv1", 2, 1, "sweep +bias", 0.25, 0.5}, {"fc", 1, 0, "maxabs", 0, 0}};
static float weight_scales[] = {0.5f, 0.25f, 2}, biases[] = {-1.5f};
static uint8_t codes[] = {1, 128, 255, 130};
static struct archive_equalized equalized[] = {{0, -3, 1}, {0, 14, 1}, {1, 1, 2}};
static struct archive_target targets[2];
static uint8_t job[] = "{\"targets\": [\"tnn\"]}";
static struct archive_bad_record bad[BAD];
static struct record_identity records[RECORDS];
static struct archive sample;

static int make_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        snprintf(values[i].name, sizeof values[i].name, "layer/%zu:out", i);
        if (i < 2)
            fill_histogram(&values[i].histogram, BINS, i + 1, i == 0);
        else /* never observed */
            assert_int_equal(histogram_init(&values[i].histogram, BINS, &(struct error){0}), 0);
    }
    for (size_t c = 0; c < CHANNELS; c++)
        fill_histogram(&channels[c], CHANNEL_BINS, 100 + c, c == 1);
    for (size_t p = 0; p < ARCHIVE_PARTS; p++) {
        part_list[p] = parts[p];
        for (size_t i = 0; i < VALUES; i++)
            if (p == 3 && i < 2) /* all in one part */
                fill_histogram(&parts[p][i], PART_BINS, i + 1, i == 0);
            else
                assert_int_equal(histogram_init(&parts[p][i], PART_BINS, &(struct error){0}), 0);
    }
    for (size_t i = 0; i < 2; i++)
        fill_histogram(&top_two[i], CHANNEL_BINS, 200 + i, i == 0);
    values[0].n_top_two = 2;
    values[0].top_two = top_two;
    values[1].n_squares = CHANNELS;
    values[1].squares = squares;
    for (size_t c = 0; c < CHANNELS; c++) {
        exact_sum_add(&squares[c], 1.5 * (double)c);
        exact_sum_normalise(&squares[c]);
    }
    for (size_t i = 0; i < 2; i++) {
        struct archive_extrema *e = &values[i].extrema;

        e->records = 7;
        e->elements = 290;
        exact_sum_add(&e->smallest, -3.25 - (double)i);
        exact_sum_add(&e->largest, 5.125);
        exact_sum_normalise(&e->smallest);
        exact_sum_normalise(&e->largest);
    }
    values[1].channels = CHANNELS;
    values[1].per_channel = channels;
    for (uint32_t i = 0; i < DECISIONS; i++) {
        decisions[i] = (struct archive_decision){.value = i,
                                                 .threshold = 3.5f + (float)i,
                                                 .scale = 0.0275f,
                                                 .lo = -128,
                                                 .hi = 127,
                                                 .sqnr_db = 31.25,
                                                 .cosine = 0.99951,
                                                 .clipped = 17,
                                                 .elements = 12000};
        snprintf(decisions[i].method, sizeof decisions[i].method, "mse");
    }
    decisions[1].sqnr_db = decisions[1].cosine = NAN;
    snprintf(targets[0].name, sizeof targets[0].name, "tnn");
    targets[0].decisions = decisions;
    targets[0].n_decisions = DECISIONS;
    for (uint32_t c = 0; c < CHANNELS; c++)
        scales[c] = (struct archive_channel){.decision = 1, .threshold = 4.5f / (float)(c + 1), .scale = 0.0275f / 127};
    targets[0].channels = scales;
    targets[0].n_channels = CHANNELS;
    snprintf(targets[0].fingerprint, sizeof targets[0].fingerprint, "%064d", 3);
    targets[0].layers = layers;
    targets[0].n_layers = 2;
    targets[0].weight_scales = weight_scales;
    targets[0].n_weight_scales = 3;
    targets[0].biases = biases;
    targets[0].n_biases = 1;
    targets[0].codes = codes;
    targets[0].n_codes = sizeof codes;
    snprintf(targets[1].name, sizeof targets[1].name, "a-target-without-decisions");
    for (size_t i = 0; i < RECORDS; i++)
        records[i] = (struct record_identity){.key = i, .digest = 0x123456789abcdef0 * (i + 1)};
    for (size_t i = 0; i < BAD; i++) {
        bad[i].ordinal = 3 * i + 1;
        snprintf(bad[i].reason, sizeof bad[i].reason, "record %zu: not a JPEG", 3 * i + 1);
    }
    sample = (struct archive){.records_used = RECORDS - BAD,
                              .block_size = 4,
                              .bins = BINS,
                              .n_values = VALUES,
                              .values = values,
                              .extras = 7,
                              .n_parts = ARCHIVE_PARTS,
                              .part_sizes = {[3] = {3, RECORDS - BAD}},
                              .part_blocks = part_blocks,
                              .parts = part_list,
                              .n_records = RECORDS,
                              .records = records,
                              .n_bad = BAD,
                              .bad = bad,
                              .n_job = sizeof job - 1,
                              .job = job,
                              .is_equalized_apart = true,
                              .n_equalized = 3,
                              .equalized = equalized,
                              .n_targets = 2,
                              .targets = targets};
    snprintf(sample.etalon_version, sizeof sample.etalon_version, "0.1.0");
    snprintf(sample.statistics_fingerprint, sizeof sample.statistics_fingerprint, "%064d", 1);
    snprintf(sample.decisions_fingerprint, sizeof sample.decisions_fingerprint, "%064d", 2);
    snprintf(sample.isa, sizeof sample.isa, "avx2");
    snprintf(sample.model, sizeof sample.model, "tiny");
    snprintf(sample.model_fingerprint, sizeof sample.model_fingerprint, "%064d", 4);
    snprintf(sample.measurement_fingerprint, sizeof sample.measurement_fingerprint, "%064d", 5);
    snprintf(sample.probe, sizeof sample.probe, "%064d", 6);
    return 0;
}

static int free_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        histogram_fini(&values[i].histogram);
    for (size_t i = 0; i < ARCHIVE_PARTS * VALUES; i++)
        histogram_fini(&parts[i / VALUES][i % VALUES]);
    for (size_t c = 0; c < CHANNELS; c++)
        histogram_fini(&channels[c]);
    for (size_t i = 0; i < 2; i++)
        histogram_fini(&top_two[i]);
    return 0;
}

static bool equal_doubles(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool equal_floats(const float *a, size_t n_a, const float *b, size_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static bool equal_layers(const struct archive_target *a, const struct archive_target *b)
{
    if (a->n_layers != b->n_layers || !equal_floats(a->biases, a->n_biases, b->biases, b->n_biases) ||
        !equal_floats(a->weight_scales, a->n_weight_scales, b->weight_scales, b->n_weight_scales) ||
        a->n_codes != b->n_codes || (a->n_codes > 0 && memcmp(a->codes, b->codes, a->n_codes) != 0))
        return false;
    for (size_t i = 0; i < a->n_layers; i++) {
        const struct archive_layer *x = &a->layers[i], *y = &b->layers[i];

        if (strcmp(x->name, y->name) != 0 || x->n_scales != y->n_scales || x->n_biases != y->n_biases ||
            strcmp(x->method, y->method) != 0 || x->weight_mse != y->weight_mse ||
            x->weight_mse_max_abs != y->weight_mse_max_abs)
            return false;
    }
    return true;
}

static bool equal_decisions(const struct archive_target *a, const struct archive_target *b)
{
    if (strcmp(a->name, b->name) != 0 || strcmp(a->fingerprint, b->fingerprint) != 0 ||
        a->n_decisions != b->n_decisions || a->n_channels != b->n_channels || !equal_layers(a, b))
        return false;
    for (size_t i = 0; i < a->n_channels; i++) {
        const struct archive_channel *x = &a->channels[i], *y = &b->channels[i];

        if (x->decision != y->decision || x->threshold != y->threshold || x->scale != y->scale)
            return false;
    }
    for (size_t i = 0; i < a->n_decisions; i++) {
        const struct archive_decision *x = &a->decisions[i], *y = &b->decisions[i];

        if (x->value != y->value || x->threshold != y->threshold || x->scale != y->scale ||
            x->zero_point != y->zero_point || x->lo != y->lo || x->hi != y->hi || strcmp(x->method, y->method) != 0 ||
            !equal_doubles(x->sqnr_db, y->sqnr_db) || !equal_doubles(x->cosine, y->cosine) ||
            x->clipped != y->clipped || x->elements != y->elements)
            return false;
    }
    return true;
}

static bool equal_values(const struct archive_value *a, const struct archive_value *b)
{
    if (strcmp(a->name, b->name) != 0 || a->channels != b->channels || !histogram_equal(&a->histogram, &b->histogram))
        return false;
    for (size_t c = 0; c < a->channels; c++)
        if (!histogram_equal(&a->per_channel[c], &b->per_channel[c]))
            return false;
    if (a->n_top_two != b->n_top_two || a->n_squares != b->n_squares ||
        memcmp(&a->extrema, &b->extrema, sizeof a->extrema) != 0)
        return false;
    for (size_t i = 0; i < a->n_top_two; i++)
        if (!histogram_equal(&a->top_two[i], &b->top_two[i]))
            return false;
    return a->n_squares == 0 || memcmp(a->squares, b->squares, a->n_squares * sizeof *a->squares) == 0;
}

static bool equal_parts(const struct archive *a, const struct archive *b)
{
    if (a->n_parts != b->n_parts)
        return false;
    for (size_t p = 0; p < a->n_parts; p++) {
        if (a->part_blocks[p + 1] != b->part_blocks[p + 1] ||
            memcmp(&a->part_sizes[p], &b->part_sizes[p], sizeof a->part_sizes[p]) != 0)
            return false;
        for (size_t i = 0; i < a->n_values; i++)
            if (!histogram_equal(&a->parts[p][i], &b->parts[p][i]))
                return false;
    }
    return true;
}

/* Compares member by member, not through the code under test. */
static bool equal_archives(const struct archive *a, const struct archive *b)
{
    if (a->extras != b->extras || strcmp(a->etalon_version, b->etalon_version) != 0 ||
        strcmp(a->statistics_fingerprint, b->statistics_fingerprint) != 0 ||
        strcmp(a->decisions_fingerprint, b->decisions_fingerprint) != 0 || strcmp(a->isa, b->isa) != 0 ||
        strcmp(a->model, b->model) != 0 || strcmp(a->model_fingerprint, b->model_fingerprint) != 0 ||
        strcmp(a->measurement_fingerprint, b->measurement_fingerprint) != 0 || strcmp(a->probe, b->probe) != 0 ||
        a->n_job != b->n_job || (a->n_job > 0 && memcmp(a->job, b->job, a->n_job) != 0) ||
        a->records_used != b->records_used || a->block_size != b->block_size || a->bins != b->bins ||
        a->n_values != b->n_values || a->n_records != b->n_records || a->n_bad != b->n_bad ||
        a->n_targets != b->n_targets || a->n_equalized != b->n_equalized ||
        a->is_equalized_apart != b->is_equalized_apart || !equal_parts(a, b))
        return false;
    for (size_t i = 0; i < a->n_values; i++)
        if (!equal_values(&a->values[i], &b->values[i]))
            return false;
    for (size_t i = 0; i < a->n_records; i++)
        if (a->records[i].key != b->records[i].key || a->records[i].digest != b->records[i].digest)
            return false;
    for (size_t i = 0; i < a->n_bad; i++)
        if (a->bad[i].ordinal != b->bad[i].ordinal || strcmp(a->bad[i].reason, b->bad[i].reason) != 0)
            return false;
    for (size_t i = 0; i < a->n_equalized; i++)
        if (a->equalized[i].value != b->equalized[i].value || a->equalized[i].exponent != b->equalized[i].exponent ||
            a->equalized[i].beside != b->equalized[i].beside)
            return false;
    for (size_t i = 0; i < a->n_targets; i++)
        if (!equal_decisions(&a->targets[i], &b->targets[i]))
            return false;
    return true;
}

static void write_archive(const struct archive *archive, const char *folder)
{
    struct error err = {0};
    struct output *output = output_open(in_root(folder), &err);

    assert_non_null(output);
    if (archive_write(archive, output, "archive.h5", true, &err) != 0)
        fail_msg("%s", err.text);
    output_close(output);
}

static char *read_bytes(const char *name, size_t *size)
{
    FILE *file = fopen(in_root(name), "r");
    char *bytes;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* ---- writing and reading ---------------------------------------------------------------------------------------- */

static void what_is_read_is_what_was_written(void **state)
{
    struct archive copy = {0};
    struct error err = {0};

    (void)state;
    write_archive(&sample, "a");
    if (archive_read(in_root("a/archive.h5"), &copy, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(copy.version, ARCHIVE_VERSION); /* for the sake of what is beside: an_empty_archive is of 2 */
    assert_true(equal_archives(&sample, &copy));
    assert_null(copy.values[1].histogram.negative); /* as it is in memory: only once there was a negative value */
    copy.values[0].histogram.positive[5]++;
    assert_false(equal_archives(&sample, &copy)); /* the comparison sees one count */
    archive_fini(&copy);
    archive_fini(&copy);
}

static void an_empty_archive_is_an_archive(void **state)
{
    struct archive empty = {.bins = BINS}, copy = {0};
    struct error err = {0};

    (void)state;
    write_archive(&empty, "a");
    if (archive_read(in_root("a/archive.h5"), &copy, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(equal_archives(&empty, &copy));
    assert_int_equal(copy.version, 2);
    archive_fini(&copy);
}

static void equal_content_gives_equal_bytes(void **state)
{
    struct archive_value other_values[VALUES];
    struct archive_decision other_decisions[DECISIONS];
    struct archive_target other_targets[2];
    struct archive other = sample;
    char *first, *second;
    size_t n, m;

    (void)state;
    write_archive(&sample, "a");
    sleep(1); /* object times count in seconds */

    /* The same content in other bytes: after the names' ends, and in what NaN carries. */
    memcpy(other_values, values, sizeof values);
    memcpy(other_decisions, decisions, sizeof decisions);
    memcpy(other_targets, targets, sizeof targets);
    memset(other_values[0].name + 20, 'x', 100);
    memset(other_decisions[0].method + 10, 'x', 10);
    memcpy(&other_decisions[1].sqnr_db, &(uint64_t){0xfff8000000000123}, 8);
    other_targets[0].decisions = other_decisions;
    other.values = other_values;
    other.targets = other_targets;
    write_archive(&other, "b");

    first = read_bytes("a/archive.h5", &n);
    second = read_bytes("b/archive.h5", &m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
}

/* Runs a test in a process of its own and returns its exit status; -1 when a signal ended it. */
static int in_child(int (*run)(void *), void *argument)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        alarm(20);
        status = run(argument);
#ifdef __SANITIZE_ADDRESS__
        _exit(status); /* what HDF5 leaks after a failed close is not ours to report */
#else
        exit(status); /* exit handlers included: HDF5's own crashes after a full disk */
#endif
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Writes the sample where no file may grow beyond *argument bytes; 0 when that fails as it should, and the next write,
 * with room again, succeeds. */
static int write_to_full_disk(void *argument)
{
    const rlim_t *size = argument;
    struct error err = {0};
    struct output *output = output_open(in_root("full"), &err);
    struct rlimit before;
    int rc;

    if (output == NULL || getrlimit(RLIMIT_FSIZE, &before) != 0 ||
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){*size, before.rlim_max}) != 0)
        return 1;
    rc = archive_write(&sample, output, "archive.h5", true, &err);
    if (setrlimit(RLIMIT_FSIZE, &before) != 0)
        return 1;
    output_close(output);
    if (rc == 0 || err.code != EX_IOERR || strstr(err.text, "archive.h5") == NULL)
        return 2;
    if (access(in_root("full"), F_OK) == 0) /* gone, so it was empty: no archive, no temporary, no lock */
        return 3;
    output = output_open(in_root("again"), &err);
    rc = output == NULL ? -1 : archive_write(&sample, output, "archive.h5", true, &err);
    output_close(output);
    return rc == 0 ? 0 : 4;
}

static void a_full_disk_at_any_byte_leaves_nothing_and_the_program_alive(void **state)
{
    struct stat info;

    (void)state;
    write_archive(&sample, "whole");
    assert_int_equal(stat(in_root("whole/archive.h5"), &info), 0);
    signal(SIGXFSZ, SIG_IGN);
    /* Each in its own process: HDF5 1.10 keeps the pieces of a file whose close has failed. */
    for (rlim_t size = 0; size < (rlim_t)info.st_size; size += 1 + (rlim_t)info.st_size / 40)
        assert_int_equal(in_child(write_to_full_disk, &size), 0);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

enum outcome { OUTCOME_ERROR, OUTCOME_EQUAL, OUTCOME_OTHER };

static int read_damaged(void *path)
{
    struct archive copy = {0};
    struct error err = {0};

    if (archive_read(path, &copy, &err) != 0)
        return err.code == EX_DATAERR && err.text[0] != '\0' ? OUTCOME_ERROR : OUTCOME_OTHER;
    return equal_archives(&sample, &copy) ? OUTCOME_EQUAL : OUTCOME_OTHER;
}

/* How far apart the damaged bytes lie: every byte with ETALON_EXHAUSTIVE in the environment, else a sample. */
static size_t damage_step(size_t size, size_t samples)
{
    return getenv("ETALON_EXHAUSTIVE") != NULL ? 1 : size / samples + 1;
}

static void a_flipped_byte_gives_an_error_or_equal_content(void **state)
{
    size_t size, n_errors = 0;
    char *bytes, path[256];

    (void)state;
    snprintf(path, sizeof path, "%s", in_root("flipped.h5"));
    write_archive(&sample, "a");
    bytes = read_bytes("a/archive.h5", &size);
    for (size_t i = 0; i < size; i += damage_step(size, 1500)) {
        int outcome;
        char flip = (char)(1 << (i % 8));

        bytes[i] ^= flip;
        write_bytes("flipped.h5", bytes, size);
        bytes[i] ^= flip;
        /* In its own process: HDF5 is not hardened, and a crash must be seen as one. */
        outcome = in_child(read_damaged, path);
        if (outcome != OUTCOME_ERROR && outcome != OUTCOME_EQUAL)
            fail_msg("byte %zu of %zu: other numbers, a crash, or an error without a sentence", i, size);
        n_errors += outcome == OUTCOME_ERROR;
    }
    assert_true(n_errors > 100); /* the flips do hit something */
    free(bytes);
}

static void damage_to_an_array_is_told_by_the_arrays_name(void **state)
{
    struct archive copy = {0};
    struct error err = {0};
    size_t size, at = 0;
    char *bytes;

    (void)state;
    write_archive(&sample, "a");
    bytes = read_bytes("a/archive.h5", &size);
    while (at + sizeof records[0].digest < size &&
           memcmp(bytes + at, &records[0].digest, sizeof records[0].digest) != 0)
        at++;
    assert_true(at + sizeof records[0].digest < size);
    bytes[at] ^= 1;
    write_bytes("flipped.h5", bytes, size);
    assert_int_equal(archive_read(in_root("flipped.h5"), &copy, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "flipped.h5"));
    assert_non_null(strstr(err.text, "/records/digest"));
    free(bytes);
}

static void a_truncated_archive_is_an_error(void **state)
{
    size_t size;
    char *bytes, path[256];

    (void)state;
    snprintf(path, sizeof path, "%s", in_root("short.h5"));
    write_archive(&sample, "a");
    bytes = read_bytes("a/archive.h5", &size);
    for (size_t i = 0; i < size; i += damage_step(size, 100)) {
        write_bytes("short.h5", bytes, i);
        assert_int_equal(in_child(read_damaged, path), OUTCOME_ERROR);
    }
    free(bytes);
}

static void set_attribute(const char *name, const char *attribute, hid_t type, const void *value)
{
    hid_t file = H5Fopen(in_root(name), H5F_ACC_RDWR, H5P_DEFAULT), a = H5Aopen(file, attribute, H5P_DEFAULT);

    assert_true(file >= 0 && a >= 0);
    assert_true(H5Awrite(a, type, value) >= 0);
    assert_true(H5Aclose(a) >= 0);
    assert_true(H5Fclose(file) >= 0);
}

static void assert_unreadable(const char *name, int code, const char *why)
{
    struct archive copy = {0};
    struct error err = {0};

    assert_int_equal(archive_read(in_root(name), &copy, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, why) == NULL || strstr(err.text, name) == NULL)
        fail_msg("expected \"%s\" and \"%s\" in: %s", name, why, err.text);
}

static void what_is_no_archive_of_ours_is_refused_by_name(void **state)
{
    const uint32_t newer = ARCHIVE_VERSION + 1;
    const uint64_t other = 12345;
    hid_t file;

    (void)state;
    assert_unreadable("absent.h5", EX_NOINPUT, "cannot be opened");
    write_bytes("text.h5", "hello", 5);
    assert_unreadable("text.h5", EX_DATAERR, "cannot be opened");
    file = H5Fcreate(in_root("foreign.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0 && H5Fclose(file) >= 0);
    assert_unreadable("foreign.h5", EX_DATAERR, "/format");

    write_archive(&sample, ".");
    set_attribute("archive.h5", "format_version", H5T_NATIVE_UINT32, &newer);
    assert_unreadable("archive.h5", EX_DATAERR,
                      "format version 4, written by etalon 0.1.0; this program reads up to 3");

    write_archive(&sample, ".");
    set_attribute("archive.h5", "block_size", H5T_NATIVE_UINT64, &other); /* well-formed, but not what was written */
    assert_unreadable("archive.h5", EX_DATAERR, "expected SHA-256");
}

/* Channels of a decision: all of its value's, in order, each with a scale. */
static void wrong_lists_of_channels_are_refused_by_name(void **state)
{
    static const struct {
        uint32_t decision[4];
        size_t n;
        float last_scale;
        const char *why;
    } rows[] = {
        {{1, 1}, 2, 1, "decision 1: expected 3 channels, found 2"},
        {{1, 1, 1, 1}, 4, 1, "decision 1: expected 3 channels, found 4"},
        {{0, 1, 1, 1}, 4, 1, "decision 0: expected 0 channels, found 1"},
        {{1, 1, 1, 0}, 4, 1, "channel 3 is about decision 0 of 2, out of order"},
        {{1, 1, 1, 2}, 4, 1, "channel 3 is about decision 2 of 2, out of order"},
        {{1, 1, 1}, 3, 0, "decision 1, channel 2: expected a positive scale, found 0"},
        {{1, 1, 1}, 3, NAN, "decision 1, channel 2: expected a positive scale"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct output *output = output_open(in_root("c"), &err);
        struct archive_channel wrong[4];
        struct archive_target target = targets[0];
        struct archive broken = sample;

        for (size_t k = 0; k < rows[i].n; k++)
            wrong[k] = (struct archive_channel){
                .decision = rows[i].decision[k], .threshold = 1, .scale = k + 1 < rows[i].n ? 1 : rows[i].last_scale};
        target.channels = wrong;
        target.n_channels = rows[i].n;
        broken.targets = &target;
        broken.n_targets = 1;
        assert_non_null(output);
        assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1); /* found when reading back */
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("\"%s\" does not mention \"%s\"", err.text, rows[i].why);
        output_close(output);
    }
}

static void wrong_lists_of_layers_are_refused_by_name(void **state)
{
    static const struct {
        uint64_t scales, biases;
        float scale;
        const char *why;
    } rows[] = {
        {3, 1, 1, "layer \"fc\" has 1 scales and 0 biases, of which 0 and 0 are left"},
        {2, 2, 1, "layer \"conv1\" has 2 scales and 2 biases, of which 3 and 1 are left"},
        {UINT64_MAX, 1, 1, "layer \"conv1\" has 18446744073709551615 scales"},
        {1, 1, 1, "expected 2 weight scales and 1 biases, found 3 and 1"},
        {2, 0, 1, "expected 3 weight scales and 0 biases, found 3 and 1"},
        {2, 1, 0, "weight scale 1: expected a positive number, found 0"},
        {2, 1, NAN, "weight scale 1: expected a positive number"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct output *output = output_open(in_root("w"), &err);
        struct archive_layer wrong[] = {layers[0], layers[1]};
        float wrong_scales[] = {1, rows[i].scale, 1};
        struct archive_target target = targets[0];
        struct archive broken = sample;

        wrong[0].n_scales = rows[i].scales;
        wrong[0].n_biases = rows[i].biases;
        target.layers = wrong;
        target.weight_scales = wrong_scales;
        broken.targets = &target;
        broken.n_targets = 1;
        assert_non_null(output);
        assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1); /* found when reading back */
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("\"%s\" does not mention \"%s\"", err.text, rows[i].why);
        output_close(output);
    }
}

static void an_archive_that_breaks_its_own_rules_is_refused_by_name(void **state)
{
    struct archive_decision wrong = decisions[0];
    struct archive_target target = targets[0];
    struct archive broken = sample;
    struct error err = {0};
    struct output *output = output_open(in_root("a"), &err);

    (void)state;
    assert_non_null(output);
    target.decisions = &wrong;
    target.n_decisions = 1;
    target.n_channels = 0;
    broken.targets = &target;
    broken.n_targets = 1;

    wrong.value = VALUES;
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1); /* found when reading back */
    assert_non_null(strstr(err.text, "is about value 3 of 3"));
    wrong = decisions[0];
    wrong.scale = 0;
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    assert_non_null(strstr(err.text, "expected a positive scale"));
    wrong = decisions[0];
    snprintf(target.name, sizeof target.name, "../x");
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    snprintf(target.name, sizeof target.name, "tnn");
    values[0].histogram.zeros++; /* the counts no longer add up */
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    values[0].histogram.zeros--;
    assert_non_null(strstr(err.text, "layer/0:out"));
    {
        struct archive_equalized disorder[] = {{1, 1, 2}, {0, 1, 1}};

        broken.equalized = disorder;
        broken.n_equalized = 2;
        assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
        assert_non_null(strstr(err.text, "equalized channel 1 is of value 0 of 3, out of order"));
        disorder[0] = (struct archive_equalized){0, INT32_MIN, 1};
        assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
        assert_non_null(strstr(err.text, "equalized channel 0: expected an exponent of -24 to 24"));
        disorder[0] = (struct archive_equalized){0, 3, 0};
        assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
        assert_non_null(strstr(err.text, "equalized channel 0: value 0 of 3 is not beside 0"));
        broken.n_equalized = 0;
    }
    parts[5][1].n = parts[5][1].zeros = 1; /* what the whole value has not seen */
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    parts[5][1].n = parts[5][1].zeros = 0;
    assert_non_null(strstr(err.text, "layer/1:out"));
    part_blocks[6] = 9;
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    part_blocks[6] = 2;
    assert_non_null(strstr(err.text, "part 6 begins with block 9 and ends with 3"));
    broken.part_sizes[0].n_records = 1;
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    assert_non_null(strstr(err.text, "the parts have seen 8 records, of 7 that were used"));
    broken.bins = 2 * BINS;
    assert_int_equal(archive_write(&broken, output, "archive.h5", true, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    output_close(output);
    assert_int_not_equal(access(in_root("a"), F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_is_what_was_written),
        TEST(an_empty_archive_is_an_archive),
        TEST(equal_content_gives_equal_bytes),
        TEST(a_full_disk_at_any_byte_leaves_nothing_and_the_program_alive),
        TEST(a_flipped_byte_gives_an_error_or_equal_content),
        TEST(damage_to_an_array_is_told_by_the_arrays_name),
        TEST(a_truncated_archive_is_an_error),
        TEST(what_is_no_archive_of_ours_is_refused_by_name),
        TEST(wrong_lists_of_channels_are_refused_by_name),
        TEST(wrong_lists_of_layers_are_refused_by_name),
        TEST(an_archive_that_breaks_its_own_rules_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, make_sample, free_sample);
}
