/* dataset_build.c — see dataset_build.h. */
#include "worker/dataset_build.h"

#include "common/bytes.h"
#include "common/log.h"
#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_write.h"
#include "worker/preprocess/steps.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX_BYTES = 1 << 29,
    MAX_RECORDS = 100000000 /* "%08d": with nine digits, key order is no longer list order */
};

struct build {
    const struct dataset_build_options *options;
    struct dataset_cursor *cursor;
    struct lmdb_writer *writer;
    struct record record;
    struct picture_scratch scratch;
    uint8_t *planes, *message; /* grow */
    size_t planes_capacity, message_capacity;
    size_t first_size; /* bytes of the first raw record */
    uint64_t n_written, n_bad;
};

/* splitmix64 (Steele, Lea, Flood 2014): one multiplication-xor chain per number, the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Fisher-Yates. The modulo's bias is below n / 2^64. */
static uint64_t *create_order(uint64_t n, bool is_shuffled, uint64_t seed, struct error *err)
{
    uint64_t *order = memory_create(n, sizeof *order, "the order of images", err);

    for (uint64_t i = 0; order != NULL && i < n; i++)
        order[i] = i;
    for (uint64_t i = n; order != NULL && is_shuffled && i > 1; i--) {
        uint64_t j = next_random(&seed) % i, swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
    return order;
}

static int write_datum(struct build *build, uint64_t number, const struct datum *datum, struct error *err)
{
    char key[RECORD_KEY_BYTES + 32];

    snprintf(key, sizeof key, "%08" PRIu64 "_%s", number, build->record.key);
    if (memory_grow((void **)&build->message, &build->message_capacity, datum_bound(datum) - 1, 1, "a Datum", err) < 0)
        return -1;
    return lmdb_writer_put(build->writer, key, build->message, datum_write(datum, build->message), err);
}

/* The file as it is; that it decodes was seen when the record was read. */
static int put_encoded(struct build *build, uint64_t number, struct error *err)
{
    struct datum datum = {.label = build->record.label, .is_encoded = true};
    struct bytes file = {0};
    char path[PATH_MAX];
    int rc, length;

    length = build->record.key[0] == '/'
                 ? snprintf(path, sizeof path, "%s", build->record.key)
                 : snprintf(path, sizeof path, "%s/%s", build->options->folder, build->record.key);
    if ((size_t)length >= sizeof path)
        return error_set(err, EX_DATAERR, "%s: the path is too long", build->record.key);
    if (bytes_read(path, FILE_MAX_BYTES, &file, err) < 0)
        return -1;
    datum.data = file.data;
    datum.size = file.size;
    rc = write_datum(build, number, &datum, err);
    bytes_free(&file);
    return rc;
}

/* Channels, then size, as OpenCV reads in gray or colour before it resizes. */
static int transform(const struct dataset_build_options *options, struct picture *picture, struct error *err)
{
    struct preprocess_step channels = {.kind = STEP_CHANNELS};
    struct preprocess_step resize = {.kind = STEP_RESIZE};

    channels.channels = options->is_gray ? CHANNELS_GRAY : CHANNELS_BGR;
    resize.resize.fit = FIT_WARP;
    resize.resize.filter = FILTER_OPENCV_LINEAR;
    resize.resize.height = options->resize_height;
    resize.resize.width = options->resize_width;
    if (preprocess_channels.apply(&channels, picture, err) < 0)
        return -1;
    return options->resize_height == 0 ? 0 : preprocess_resize.apply(&resize, picture, err);
}

static int put_planes(struct build *build, uint64_t number, struct error *err)
{
    struct picture picture;
    struct datum datum = {.label = build->record.label};
    const uint8_t *pixels;
    size_t n, c_count;

    picture_from_record(&picture, &build->record, &build->scratch);
    if (transform(build->options, &picture, err) < 0)
        return error_in(err, "%s", build->record.key);
    pixels = picture.data;
    c_count = picture_channels(&picture);
    n = picture.height * picture.width;
    if (build->first_size == 0)
        build->first_size = n * c_count;
    if (build->options->is_size_checked && n * c_count != build->first_size)
        return error_set(err, EX_DATAERR, "%s: expected %zu bytes as in the first image, found %zu", build->record.key,
                         build->first_size, n * c_count);
    if (memory_grow((void **)&build->planes, &build->planes_capacity, n * c_count - 1, 1, "an image", err) < 0)
        return -1;
    for (size_t c = 0; c < c_count; c++) /* decoded images are interleaved */
        for (size_t i = 0; i < n; i++)
            build->planes[c * n + i] = pixels[i * c_count + c];
    datum.channels = (int64_t)c_count;
    datum.height = (int64_t)picture.height;
    datum.width = (int64_t)picture.width;
    datum.data = build->planes;
    datum.size = n * c_count;
    return write_datum(build, number, &datum, err);
}

static int build_all(struct build *build, const uint64_t *order, uint64_t n, struct error *err)
{
    for (uint64_t i = 0; i < n; i++) {
        struct error why = {0};

        if (dataset_read(build->cursor, order[i], &build->record, &why) == 0 &&
            (build->options->is_encoded ? put_encoded(build, i, &why) : put_planes(build, i, &why)) == 0) {
            build->n_written++;
        } else if (why.code == EX_DATAERR && build->n_bad < build->options->max_bad_records) {
            build->n_bad++;
            log_warning("%s: left out", why.text);
        } else {
            return error_set(err, why.code, "%s", why.text);
        }
    }
    if (build->n_written == 0)
        return error_set(err, EX_DATAERR, "%s: holds no usable image", build->options->folder);
    return 0;
}

static int check_options(const struct dataset_build_options *options, struct error *err)
{
    if (options->folder == NULL || options->output == NULL)
        return error_set(err, EX_CONFIG, "expected a folder of images and an output");
    if ((options->resize_height == 0) != (options->resize_width == 0))
        return error_set(err, EX_CONFIG, "expected both sizes to resize to, found %zux%zu", options->resize_height,
                         options->resize_width);
    if (options->resize_height > STEP_MAX_SIDE || options->resize_width > STEP_MAX_SIDE)
        return error_set(err, EX_CONFIG, "expected sizes of at most %d, found %zux%zu", STEP_MAX_SIDE,
                         options->resize_height, options->resize_width);
    if (options->is_encoded && (options->resize_height > 0 || options->is_gray))
        return error_set(err, EX_CONFIG, "encoded copies cannot be resized or made gray");
    return 0;
}

static int run(struct build *build, struct dataset *dataset, struct error *err)
{
    uint64_t n = dataset_count(dataset), *order;
    int rc = -1;

    if (n > MAX_RECORDS)
        return error_set(err, EX_DATAERR, "expected at most %d images, found %" PRIu64, MAX_RECORDS, n);
    order = create_order(n, build->options->is_shuffled, build->options->seed, err);
    if (order != NULL && (build->cursor = dataset_cursor_open(dataset, err)) != NULL &&
        (build->writer = lmdb_writer_open(build->options->output, err)) != NULL) {
        rc = build_all(build, order, n, err);
        if (rc == 0)
            rc = lmdb_writer_commit(build->writer, err);
        else
            lmdb_writer_cancel(build->writer);
    }
    dataset_cursor_close(build->cursor);
    record_fini(&build->record);
    picture_scratch_fini(&build->scratch);
    free(build->planes);
    free(build->message);
    free(order);
    return rc;
}

int dataset_build(const struct dataset_build_options *options, struct error *err)
{
    struct dataset_request request = {
        .kind = "images", .path = options->folder, .list = options->list, .limit = options->limit};
    struct build build = {.options = options};
    struct dataset *dataset;
    int rc;

    if (check_options(options, err) < 0)
        return -1;
    dataset = dataset_open(&request, err);
    if (dataset == NULL)
        return -1;
    rc = run(&build, dataset, err);
    dataset_close(dataset);
    if (rc == 0)
        log_info("%s: wrote %" PRIu64 " records, left out %" PRIu64, options->output, build.n_written, build.n_bad);
    return rc;
}
