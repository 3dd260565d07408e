/* tar.c — tar files of samples, in the manner of WebDataset, as a dataset.
 *
 * Members that follow each other and whose names are equal up to the first dot of the last part are one sample:
 * "train/0007.jpg", "train/0007.cls". The picture or array becomes the record, .cls its label. Opening walks over all
 * headers once; a record costs 40 bytes and its key.
 */
#include "formats/record.h"

#include "common/memory.h"
#include "formats/records/decode_image.h"
#include "formats/records/digest.h"
#include "formats/records/npy.h"
#include "formats/records/orientation.h"
#include "formats/records/shard_list.h"
#include "formats/records/tar_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LABEL_BYTES = 32 };

static const size_t member_max_bytes = (size_t)1 << 32;

struct sample {
    uint64_t offset, size; /* of the picture or array; offset 0: there is none */
    uint64_t label;        /* offset of the label; 0: none */
    uint32_t label_size;
    uint32_t shard;
    size_t key; /* offset into `keys` */
};

struct shard {
    off_t size_bytes;
    struct timespec modified;
};

struct tar_set {
    struct dataset_request request; /* how to read; of its texts only `member` is used, a copy */
    char *member;
    struct shard_list paths;
    struct shard *shards; /* [paths.n] */
    struct sample *samples;
    size_t n, capacity;
    char *keys; /* each with its NUL */
    size_t keys_size, keys_capacity;
};

struct tar_cursor {
    struct file_buffer buffer;
    int fd; /* -1: none */
    uint32_t shard;
};

static void tar_close(void *state)
{
    struct tar_set *set = state;

    shard_list_fini(&set->paths);
    free(set->member);
    free(set->shards);
    free(set->samples);
    free(set->keys);
    free(set);
}

/* The length of the sample's name: up to the first dot behind the last slash. */
static size_t stem_length(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strchr(slash == NULL ? name : slash + 1, '.');

    return dot == NULL ? strlen(name) : (size_t)(dot - name);
}

static int add_sample(struct tar_set *set, const char *name, size_t length, uint32_t shard, struct error *err)
{
    if (memory_grow((void **)&set->samples, &set->capacity, set->n, sizeof *set->samples, "samples", err) < 0 ||
        memory_grow((void **)&set->keys, &set->keys_capacity, set->keys_size + length, 1, "names of samples", err) < 0)
        return -1;
    memcpy(set->keys + set->keys_size, name, length);
    set->keys[set->keys_size + length] = '\0';
    set->samples[set->n++] = (struct sample){.shard = shard, .key = set->keys_size};
    set->keys_size += length + 1;
    return 0;
}

/* Whether a member with this ending (without the first dot) is the sample's record. */
static bool is_record(const struct tar_set *set, const char *name, const char *ending)
{
    return set->member != NULL ? strcmp(ending, set->member) == 0 : decode_image_is_name(name) || npy_is_name(name);
}

/* is_new: another shard began, whose first member begins a sample whatever its name. */
static int add_member(struct tar_set *set, const struct tar_member *member, uint32_t shard, bool is_new,
                      struct error *err)
{
    size_t length = stem_length(member->name);
    const char *ending = member->name + length + (member->name[length] == '.');
    struct sample *sample = set->n == 0 ? NULL : &set->samples[set->n - 1];

    if (length == 0 || member->name[length - 1] == '/') /* a hidden file */
        return 0;
    if (sample == NULL || is_new || strlen(set->keys + sample->key) != length ||
        memcmp(set->keys + sample->key, member->name, length) != 0) {
        if (add_sample(set, member->name, length, shard, err) < 0)
            return -1;
        sample = &set->samples[set->n - 1];
    }
    if (is_record(set, member->name, ending)) {
        if (sample->offset != 0)
            return error_set(err, EX_DATAERR,
                             "%s: the sample has another picture or array; dataset.member says which to take",
                             member->name);
        sample->offset = member->offset;
        sample->size = member->size;
    } else if (strcmp(ending, "cls") == 0) {
        sample->label = member->offset;
        sample->label_size = member->size < LABEL_BYTES ? (uint32_t)member->size : LABEL_BYTES;
    }
    return 0;
}

static int open_shard(const char *path, struct stat *info, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, info) != 0) {
        error_set(err, EX_NOINPUT, "cannot be opened: %s", strerror(errno));
    } else if (!S_ISREG(info->st_mode)) {
        error_set(err, EX_DATAERR, "expected a regular file");
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static int index_shard(struct tar_set *set, uint32_t shard, uint64_t limit, struct error *err)
{
    struct tar_walk walk = {0};
    struct tar_member member;
    size_t n_before = set->n;
    struct stat info;
    int rc = 1;

    walk.fd = open_shard(set->paths.paths[shard], &info, err);
    if (walk.fd < 0)
        return error_in(err, "%s", set->paths.paths[shard]);
    walk.size = (uint64_t)info.st_size;
    set->shards[shard] = (struct shard){info.st_size, info.st_mtim};
    while (rc > 0 && (limit == 0 || set->n <= limit)) { /* one sample more: then the last one is complete */
        rc = tar_next(&walk, &member, err);
        if (rc > 0 && add_member(set, &member, shard, set->n == n_before, err) < 0)
            rc = -1;
    }
    tar_walk_fini(&walk);
    close(walk.fd);
    return rc >= 0 ? 0 : error_in(err, "%s", set->paths.paths[shard]);
}

static int index_all(struct tar_set *set, const struct dataset_request *request, struct error *err)
{
    if (shard_list_read(&set->paths, request->path, err) < 0)
        return -1;
    set->shards = memory_create(set->paths.n, sizeof *set->shards, "shards", err);
    if (set->shards == NULL)
        return -1;
    if (request->member != NULL && (set->member = strdup(request->member)) == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu bytes for a name", strlen(request->member) + 1);
    for (size_t i = 0; i < set->paths.n; i++)
        if (request->limit > 0 && set->n > request->limit) { /* shards that are not needed are not read */
            set->shards[i].size_bytes = -1;
        } else if (index_shard(set, (uint32_t)i, request->limit, err) < 0) {
            return -1;
        }
    return 0;
}

static int tar_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    struct tar_set *set = memory_create(1, sizeof *set, "a dataset of tar files", err);

    if (set == NULL)
        return -1;
    set->request = *request;
    if (index_all(set, request, err) < 0) {
        tar_close(set);
        return -1;
    }
    *n_records = set->n;
    *state = set;
    return 0;
}

static int tar_cursor_open(void *state, void **cursor, struct error *err)
{
    struct tar_cursor *mine = memory_create(1, sizeof *mine, "a cursor", err);

    (void)state;
    if (mine == NULL)
        return -1;
    mine->fd = -1;
    *cursor = mine;
    return 0;
}

static void tar_cursor_close(void *cursor)
{
    struct tar_cursor *mine = cursor;

    if (mine->fd >= 0)
        close(mine->fd);
    file_buffer_fini(&mine->buffer);
    free(mine);
}

/* The cursor keeps one shard open: blocks are runs of records. */
static int enter_shard(const struct tar_set *set, struct tar_cursor *cursor, uint32_t shard, struct error *err)
{
    struct stat info;

    if (cursor->fd >= 0 && cursor->shard == shard)
        return 0;
    if (cursor->fd >= 0)
        close(cursor->fd);
    cursor->shard = shard;
    cursor->fd = open_shard(set->paths.paths[shard], &info, err);
    if (cursor->fd >= 0)
        return 0;
    error_in(err, "%s", set->paths.paths[shard]);
    if (err != NULL) /* it was there when the run began: no bad record, the dataset is gone */
        err->code = EX_NOINPUT;
    return -1;
}

/* A whole number between blanks, -1 or more. It is read to bytes[at ...) of the buffer. */
static int read_label(const struct sample *sample, struct tar_cursor *cursor, size_t at, int64_t *label,
                      struct error *err)
{
    char text[LABEL_BYTES + 1], *end;
    long value;

    if (sample->label == 0)
        return 0;
    if (file_buffer_read_at(&cursor->buffer, at, cursor->fd, sample->label, sample->label_size, err) < 0)
        return -1;
    if (sample->label_size > 0)
        memcpy(text, cursor->buffer.bytes + at, sample->label_size);
    text[sample->label_size] = '\0';
    value = strtol(text, &end, 10);
    while (*end == ' ' || (*end >= '\t' && *end <= '\r'))
        end++;
    if (end == text || end != text + sample->label_size || sample->label_size >= LABEL_BYTES || value < -1 ||
        value > INT32_MAX)
        return error_set(err, EX_DATAERR, "cls: expected a label of -1 to 2147483647");
    *label = value;
    return 0;
}

static int tar_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err)
{
    const struct tar_set *set = state;
    const char *name = set->keys + set->samples[ordinal].key;

    (void)cursor;
    (void)err;
    memcpy(key, name, strlen(name) + 1); /* tar_walk admits no longer name than a key */
    return 0;
}
_Static_assert((int)TAR_NAME_BYTES <= (int)RECORD_KEY_BYTES, "names of members are keys");

static int decode(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
                  struct error *err)
{
    if (npy_is(data, size))
        return npy_decode(request, data, size, record, err);
    return request->is_oriented ? orientation_decode(data, size, record, err) : decode_image(data, size, record, err);
}

static int tar_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    const struct tar_set *set = state;
    const struct sample *sample = &set->samples[ordinal];
    struct tar_cursor *mine = cursor;

    tar_read_key(state, cursor, ordinal, record->key, err);
    if (sample->offset == 0)
        return error_set(err, EX_DATAERR, "the sample has no %s",
                         set->member != NULL ? set->member : "picture or array");
    if (sample->size > member_max_bytes)
        return error_set(err, EX_DATAERR, "expected a member of at most %zu bytes, found %" PRIu64, member_max_bytes,
                         sample->size);
    if (enter_shard(set, mine, sample->shard, err) < 0 ||
        file_buffer_read_at(&mine->buffer, 0, mine->fd, sample->offset, (size_t)sample->size, err) < 0)
        return -1;
    record->digest = record_digest(mine->buffer.bytes, (size_t)sample->size);
    if (read_label(sample, mine, (size_t)sample->size, &record->label, err) < 0)
        return -1;
    if (sample->label != 0) /* part of what is stored, as in a Datum: accuracies depend on it */
        record->digest = dataset_digest((const uint64_t[]){record->digest, (uint64_t)record->label}, 2);
    return decode(&set->request, mine->buffer.bytes, (size_t)sample->size, record, err);
}

static int tar_check_unchanged(void *state, struct error *err)
{
    const struct tar_set *set = state;

    for (size_t i = 0; i < set->paths.n; i++) {
        const struct shard *shard = &set->shards[i];
        struct stat info;

        if (shard->size_bytes < 0)
            continue;
        if (stat(set->paths.paths[i], &info) != 0)
            return error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", set->paths.paths[i], strerror(errno));
        if (info.st_size != shard->size_bytes || info.st_mtim.tv_sec != shard->modified.tv_sec ||
            info.st_mtim.tv_nsec != shard->modified.tv_nsec)
            return error_set(err, EX_DATAERR, "%s: was written to during the run", set->paths.paths[i]);
    }
    return 0;
}

const struct record_kind record_kind_tar = {
    .name = "tar",
    .summary = "tar files of samples (WebDataset): a picture or array and its label share a name",
    .takes = DATASET_LAYOUT | DATASET_MEMBER | DATASET_ORIENTATION,
    .open = tar_open,
    .close = tar_close,
    .cursor_open = tar_cursor_open,
    .cursor_close = tar_cursor_close,
    .read = tar_read,
    .read_key = tar_read_key,
    .check_unchanged = tar_check_unchanged,
};
