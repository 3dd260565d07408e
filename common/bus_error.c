/* bus_error.c — see bus_error.h. The handler runs at any point of any thread: only async-signal-safe calls, fixed
 * memory, and /proc/self/maps to find the file, so that nobody has to register mappings (LMDB does not tell where its
 * own is).
 */
#include "common/bus_error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = PATH_MAX + 128, BLOCK_BYTES = 4096 };

/* One line of /proc/self/maps: "<from>-<to> <modes> <offset> <device> <inode>   <path>", numbers in hexadecimal. */
struct mapping {
    uintptr_t from, to;
    uint64_t offset; /* of `from` in the file */
    const char *path;
};

static atomic_flag is_reported = ATOMIC_FLAG_INIT;
static char line[LINE_BYTES], block[BLOCK_BYTES], message[LINE_BYTES + 256]; /* of the thread that has the flag */

static uint64_t take_hex(const char **at)
{
    uint64_t value = 0;

    for (;; ++*at) {
        if (**at >= '0' && **at <= '9')
            value = value << 4 | (uint64_t)(**at - '0');
        else if (**at >= 'a' && **at <= 'f')
            value = value << 4 | (uint64_t)(**at - 'a' + 10);
        else
            return value;
    }
}

static void skip_word(const char **at)
{
    while (**at != '\0' && **at != ' ')
        ++*at;
    while (**at == ' ')
        ++*at;
}

static struct mapping parse(const char *at)
{
    struct mapping m = {.from = (uintptr_t)take_hex(&at)};

    at += *at == '-';
    m.to = (uintptr_t)take_hex(&at);
    skip_word(&at); /* to the modes */
    skip_word(&at);
    m.offset = take_hex(&at);
    skip_word(&at); /* to the device */
    skip_word(&at);
    skip_word(&at);
    m.path = at;
    return m;
}

/* The file mapping around `address`, its path in `line`. */
static bool find_mapping(uintptr_t address, struct mapping *found)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    bool is_found = false;
    ssize_t n;

    while (fd >= 0 && !is_found && (n = read(fd, block, sizeof block)) > 0)
        for (ssize_t i = 0; i < n && !is_found; i++) {
            if (block[i] != '\n') {
                if (length < sizeof line - 1)
                    line[length++] = block[i];
                continue;
            }
            line[length] = '\0';
            length = 0;
            *found = parse(line);
            is_found = found->from <= address && address < found->to && found->path[0] == '/';
        }
    if (fd >= 0)
        close(fd);
    return is_found;
}

static char *put_text(char *to, const char *text)
{
    size_t n = strlen(text);

    memcpy(to, text, n);
    return to + n;
}

static char *put_number(char *to, uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

static void report(const struct mapping *m, uintptr_t address)
{
    uint64_t needed = m->offset + (address - m->from) + 1;
    char *end = put_text(put_text(message, "etalon: "), m->path);
    struct stat info;

    if (stat(m->path, &info) == 0 && (uint64_t)info.st_size < needed) {
        end = put_number(put_text(end, ": shrank while it was read: expected at least "), needed);
        end = put_text(put_number(put_text(end, " bytes, found "), (uint64_t)info.st_size), "\n");
    } else {
        end = put_text(put_number(put_text(end, ": byte "), needed - 1), " of it cannot be read any more\n");
    }
    if (write(STDERR_FILENO, message, (size_t)(end - message)) < 0)
        return; /* nobody listens: the exit status says it, too */
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    struct mapping found;

    (void)context;
    if (atomic_flag_test_and_set(&is_reported))
        for (;;) /* another thread met it first and will end all of us */
            pause();
    if (find_mapping(address, &found)) {
        report(&found, address);
        _exit(EX_IOERR);
    }
    signal(signal_number, SIG_DFL); /* and the same instruction faults again */
    atomic_flag_clear(&is_reported);
}

int bus_error_listen(struct error *err)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, NULL) != 0)
        return error_set(err, EX_OSERR, "cannot listen for SIGBUS: %s", strerror(errno));
    return 0;
}
