/* test_bus_error.c — a mapped file that shrinks ends the program with the file's name, not with a core. */
#include "common/bus_error.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIZE = 1 << 20, LEFT = 10000, TOUCHED = 500000 };

/* Runs `child`, which does not return, and gives its wait status and what it wrote to stderr. */
static int run(void (*child)(const char *path), const char *path, char *text, size_t size)
{
    int ends[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        child(path);
        _exit(0);
    }
    close(ends[1]);
    while (n < size - 1 && (got = read(ends[0], text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void shrink_and_read(const char *path)
{
    int fd = open(path, O_RDWR);
    const volatile char *map;

    if (fd < 0 || bus_error_listen(NULL) != 0)
        _exit(1);
    map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || ftruncate(fd, LEFT) != 0)
        _exit(1);
    (void)map[LEFT / 2];
    (void)map[TOUCHED];
}

static void raise_it(const char *path)
{
    (void)path;
    signal(SIGBUS, SIG_DFL); /* a sanitizer's handler is not what is tested */
    if (bus_error_listen(NULL) != 0)
        _exit(1);
    raise(SIGBUS);
    raise(SIGBUS);
}

static void a_file_that_shrinks_is_named(void **state)
{
    char path[] = "/tmp/etalon-test.XXXXXX", text[1024], expected[256];
    int fd = mkstemp(path), status;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    close(fd);
    status = run(shrink_and_read, path, text, sizeof text);
    unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_IOERR);
    snprintf(expected, sizeof expected, "etalon: %s: shrank while it was read: expected at least %d bytes, found %d\n",
             path, TOUCHED + 1, LEFT);
    assert_string_equal(text, expected);
}

static void other_bus_errors_end_the_process_as_ever(void **state)
{
    char text[1024];
    int status = run(raise_it, NULL, text, sizeof text);

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_shrinks_is_named),
        cmocka_unit_test(other_bus_errors_end_the_process_as_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
