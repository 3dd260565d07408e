/* tar_walk.c — see tar_walk.h. */
#include "formats/records/tar_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES = 100,
    SIZE_AT = 124,
    SUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_BYTES = 155,
    EXTENDED_MAX_BYTES = 64 << 10, /* of a member that holds names */
};

/* What members in front of the next file say of it. */
struct extended {
    char name[TAR_NAME_BYTES];
    bool has_name, has_size;
    uint64_t size;
};

void tar_walk_fini(struct tar_walk *walk)
{
    file_buffer_fini(&walk->buffer);
}

/* Octal digits between blanks, ended by a blank, a zero or the field's end. */
static bool read_octal(const uint8_t *field, size_t n, uint64_t *value)
{
    size_t i = 0, digits = 0;

    *value = 0;
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        *value = *value << 3 | (uint64_t)(field[i] - '0');
    return digits > 0 && (i == n || field[i] == ' ' || field[i] == '\0');
}

static bool read_size(const uint8_t *field, uint64_t *value)
{
    if ((field[0] & 0x80) == 0)
        return read_octal(field, 12, value);
    *value = 0;
    for (size_t i = 4; i < 12; i++)
        *value = *value << 8 | field[i];
    return field[0] == 0x80 && field[1] == 0 && field[2] == 0 && field[3] == 0;
}

static bool has_checksum(const uint8_t *header)
{
    uint64_t expected, sum = 0;

    for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : header[i];
    return read_octal(header + SUM_AT, 8, &expected) && expected == sum;
}

bool tar_is(const uint8_t *head, size_t n)
{
    return n >= TAR_BLOCK_BYTES && has_checksum(head);
}

/* Takes text[0..n) up to its first zero. */
static int set_name(char name[TAR_NAME_BYTES], const uint8_t *text, size_t n, struct error *err)
{
    n = strnlen((const char *)text, n);
    if (n == 0 || n >= TAR_NAME_BYTES)
        return error_set(err, EX_DATAERR, "expected a name of 1 to %d bytes, found %zu", TAR_NAME_BYTES - 1, n);
    memcpy(name, text, n);
    name[n] = '\0';
    return 0;
}

/* "prefix/name", of which tars before POSIX have no prefix. */
static int name_of_header(const uint8_t *header, char name[TAR_NAME_BYTES], struct error *err)
{
    const char *prefix = (const char *)header + PREFIX_AT;
    char joined[PREFIX_BYTES + 1 + NAME_BYTES + 1];
    bool has_prefix =
        memcmp(header + MAGIC_AT, "ustar\0", 6) == 0 && *prefix != '\0'; /* "ustar ": GNU's, other fields */

    snprintf(joined, sizeof joined, "%.*s%s%.*s", has_prefix ? PREFIX_BYTES : 0, prefix, has_prefix ? "/" : "",
             NAME_BYTES, (const char *)header);
    return set_name(name, (const uint8_t *)joined, sizeof joined, err);
}

static bool read_decimal(const uint8_t *text, size_t n, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || *value > (UINT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(text[i] - '0');
    }
    return n > 0;
}

/* pax: records "length key=value\n", the length that of the whole record. */
static int read_pax(const uint8_t *text, size_t n, struct extended *extended, struct error *err)
{
    while (n > 0) {
        const uint8_t *blank = memchr(text, ' ', n), *equals;
        uint64_t length;

        if (blank == NULL || !read_decimal(text, (size_t)(blank - text), &length) || length > n ||
            length < (size_t)(blank - text) + 3 || text[length - 1] != '\n' ||
            (equals = memchr(blank, '=', length - (size_t)(blank - text))) == NULL)
            return error_set(err, EX_DATAERR, "damaged extended header");
        if (equals - blank == 5 && memcmp(blank, " path", 5) == 0) {
            if (set_name(extended->name, equals + 1, (size_t)(text + length - 1 - (equals + 1)), err) < 0)
                return -1;
            extended->has_name = true;
        } else if (equals - blank == 5 && memcmp(blank, " size", 5) == 0) {
            if (!read_decimal(equals + 1, (size_t)(text + length - 1 - (equals + 1)), &extended->size))
                return error_set(err, EX_DATAERR, "damaged size in an extended header");
            extended->has_size = true;
        }
        text += length;
        n -= length;
    }
    return 0;
}

static int read_extended(struct tar_walk *walk, char type, uint64_t offset, uint64_t size, struct extended *extended,
                         struct error *err)
{
    if (size > EXTENDED_MAX_BYTES)
        return error_set(err, EX_DATAERR, "expected at most %d bytes of names, found %" PRIu64, EXTENDED_MAX_BYTES,
                         size);
    if (file_buffer_read_at(&walk->buffer, 0, walk->fd, offset, (size_t)size, err) < 0)
        return -1;
    if (type == 'x')
        return read_pax(walk->buffer.bytes, (size_t)size, extended, err);
    extended->has_name = true;
    return set_name(extended->name, walk->buffer.bytes, (size_t)size, err);
}

/* Reads the header at walk->at and steps over it and its contents. 1: in `header`; 0: the end. */
static int next_header(struct tar_walk *walk, const struct extended *extended, uint8_t header[TAR_BLOCK_BYTES],
                       uint64_t *offset, uint64_t *size, struct error *err)
{
    static const uint8_t zeros[TAR_BLOCK_BYTES];

    if (walk->at == walk->size) /* without the zeros: `cat` of members, or cut at a block */
        return 0;
    if (walk->size - walk->at < TAR_BLOCK_BYTES)
        return error_set(err, EX_DATAERR, "expected a header of %d bytes, the file ends after %" PRIu64,
                         TAR_BLOCK_BYTES, walk->size - walk->at);
    if (file_buffer_read_at(&walk->buffer, 0, walk->fd, walk->at, TAR_BLOCK_BYTES, err) < 0)
        return -1;
    memcpy(header, walk->buffer.bytes, TAR_BLOCK_BYTES);
    if (memcmp(header, zeros, sizeof zeros) == 0)
        return 0;
    if (!has_checksum(header) || !read_size(header + SIZE_AT, size))
        return error_set(err, EX_DATAERR, "expected a tar header, its checksum or size is wrong");
    if (extended->has_size)
        *size = extended->size;
    *offset = walk->at + TAR_BLOCK_BYTES;
    if (*size > walk->size - *offset)
        return error_set(err, EX_DATAERR, "expected %" PRIu64 " bytes of contents, the file ends after %" PRIu64, *size,
                         walk->size - *offset);
    /* The padding of the last member may be missing. */
    walk->at = (*size + TAR_BLOCK_BYTES - 1) / TAR_BLOCK_BYTES * TAR_BLOCK_BYTES > walk->size - *offset
                   ? walk->size
                   : *offset + (*size + TAR_BLOCK_BYTES - 1) / TAR_BLOCK_BYTES * TAR_BLOCK_BYTES;
    return 1;
}

static int next(struct tar_walk *walk, struct tar_member *member, struct error *err)
{
    struct extended extended = {0};
    uint8_t header[TAR_BLOCK_BYTES];
    int rc;

    while ((rc = next_header(walk, &extended, header, &member->offset, &member->size, err)) > 0) {
        char type = (char)header[TYPE_AT];

        if (type == 'x' || type == 'L') {
            if (read_extended(walk, type, member->offset, member->size, &extended, err) < 0)
                return -1;
            continue;
        }
        if (type == '0' || type == '\0' || type == '7' || type == '1') {
            if (extended.has_name)
                memcpy(member->name, extended.name, sizeof member->name);
            else if (name_of_header(header, member->name, err) < 0)
                return -1;
            if (type != '1')
                return 1;
            return error_set(err, EX_DATAERR,
                             "%s: a hard link, which is not followed; GNU tar packs the file with --hard-dereference",
                             member->name);
        }
        extended = (struct extended){0}; /* a folder, a link ...: what was said in front belonged to it */
    }
    return rc;
}

int tar_next(struct tar_walk *walk, struct tar_member *member, struct error *err)
{
    uint64_t start = walk->at;
    int rc = next(walk, member, err);

    return rc >= 0 ? rc : error_in(err, "byte %" PRIu64, start);
}
