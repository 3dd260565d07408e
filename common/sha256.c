/* sha256.c — SHA-256 by libcrypto; declared in output.h. */
#include "common/log.h"
#include "common/memory.h"
#include "common/output.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGEST_BYTES = 32, READ_BYTES = 1 << 16 };

struct sha256 {
    EVP_MD_CTX *context;
};

/* libcrypto fails here only when it is itself broken or misconfigured. A wrong digest would be believed, so we stop. */
static void must(int ok)
{
    if (ok == 1)
        return;
    log_error("libcrypto cannot compute SHA-256");
    abort();
}

struct sha256 *sha256_create(struct error *err)
{
    struct sha256 *state = memory_create(1, sizeof *state, "a digest", err);

    if (state == NULL)
        return NULL;
    state->context = EVP_MD_CTX_new();
    if (state->context == NULL || EVP_DigestInit_ex(state->context, EVP_sha256(), NULL) != 1) {
        error_set(err, EX_OSERR, "libcrypto cannot start a SHA-256 digest");
        EVP_MD_CTX_free(state->context);
        free(state);
        return NULL;
    }
    return state;
}

void sha256_add(struct sha256 *state, const void *data, size_t size)
{
    must(EVP_DigestUpdate(state->context, data, size));
}

static void write_hex(const unsigned char digest[DIGEST_BYTES], char hex[SHA256_HEX_BYTES])
{
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void sha256_finish(struct sha256 *state, char hex[SHA256_HEX_BYTES])
{
    unsigned char digest[DIGEST_BYTES];

    must(EVP_DigestFinal_ex(state->context, digest, NULL));
    write_hex(digest, hex);
    EVP_MD_CTX_free(state->context);
    free(state);
}

void sha256_bytes(const void *data, size_t size, char hex[SHA256_HEX_BYTES])
{
    unsigned char digest[DIGEST_BYTES];

    must(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL));
    write_hex(digest, hex);
}

int sha256_file(const char *path, char hex[SHA256_HEX_BYTES], struct error *err)
{
    int why = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */
    char buffer[READ_BYTES];
    struct sha256 *state;
    ssize_t n;

    if (fd < 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    state = sha256_create(err);
    if (state == NULL) {
        close(fd);
        return -1;
    }
    while ((n = read(fd, buffer, sizeof buffer)) != 0) {
        if (n > 0)
            sha256_add(state, buffer, (size_t)n);
        else if (errno != EINTR) {
            why = errno;
            break;
        }
    }
    close(fd); /* read only: nothing can be lost here */
    sha256_finish(state, hex);
    return why == 0 ? 0 : error_set(err, EX_IOERR, "%s: cannot be read: %s", path, strerror(why));
}
