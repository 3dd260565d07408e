/* test_output.c — files leave the program whole or not at all.
 *
 * Fault points exist in test builds only, so this program compiles its own copy of the writer with them.
 */
#ifndef ETALON_FAULTS
#define ETALON_FAULTS
#endif
#include "common/fault.c"
#include "common/output.c"
#include "common/output_folder.c"
#include "common/output_sweep.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "root_folder.h"

#include <sys/resource.h>
#include <sys/wait.h>

static int make_root_without_a_job(void **state)
{
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    unsetenv("FAULT");
    fault_reload();
    return make_root(state);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_root(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *name, const char *expected)
{
    char text[64] = "";
    FILE *file = fopen(in_root(name), "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

/* Entries of the folder that begin with a dot and end in .tmp. */
static int count_temporaries(const char *name)
{
    DIR *stream = opendir(in_root(name));
    const struct dirent *entry;
    int n = 0;

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
        n += entry->d_name[0] == '.' && strstr(entry->d_name, ".tmp") != NULL;
    closedir(stream);
    return n;
}

static void set_fault(const char *text)
{
    assert_int_equal(setenv("FAULT", text, 1), 0);
    fault_reload();
}

static struct output *open_root(void)
{
    struct error err = {0};
    struct output *output = output_open(root, &err);

    if (output == NULL)
        fail_msg("%s", err.text);
    return output;
}

static void assert_refused(const char *folder, const char *why)
{
    struct error err = {0};

    assert_null(output_open(folder, &err));
    assert_int_equal(err.code, EX_CANTCREAT);
    if (strstr(err.text, why) == NULL)
        fail_msg("expected \"%s\" in: %s", why, err.text);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void a_written_file_has_its_bytes_size_and_digest(void **state)
{
    const struct output_file *files;
    struct output *output = open_root();
    struct error err = {0};

    (void)state;
    assert_int_equal(output_write(output, "tnn/a/b.txt", "abc", 3, true, &err), 0);
    assert_int_equal(output_write(output, "unlisted", "", 0, false, &err), 0);
    assert_content("tnn/a/b.txt", "abc");
    assert_content("unlisted", "");
    assert_int_equal(output_files(output, &files), 1);
    assert_string_equal(files[0].name, "tnn/a/b.txt");
    assert_int_equal(files[0].size_bytes, 3);
    /* FIPS 180-2, appendix B.1 */
    assert_string_equal(files[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(output_write(output, "tnn/a/b.txt", "abcd", 4, true, &err), 0);
    assert_int_equal(output_files(output, &files), 1); /* written again: one entry, the last size */
    assert_int_equal(files[0].size_bytes, 4);
    assert_string_equal(output_folder(output), root);
    output_close(output);
    assert_int_equal(access(in_root(".etalon.lock"), F_OK), -1);
}

static void digests_agree_however_the_bytes_come(void **state)
{
    char whole[SHA256_HEX_BYTES], parts[SHA256_HEX_BYTES], file[SHA256_HEX_BYTES];
    struct error err = {0};
    struct sha256 *sum = sha256_create(&err);

    (void)state;
    assert_non_null(sum);
    sha256_add(sum, "hello ", 6);
    sha256_add(sum, "", 0);
    sha256_add(sum, "world", 5);
    sha256_finish(sum, parts);
    sha256_bytes("hello world", 11, whole);
    put("hello", "hello world");
    assert_int_equal(sha256_file(in_root("hello"), file, &err), 0);
    assert_string_equal(parts, whole);
    assert_string_equal(file, whole);
    assert_int_equal(sha256_file(in_root("absent"), file, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
}

static const char *const points[] = {"output.open",  "output.write",  "output.fsync",
                                     "output.close", "output.rename", "output.fsync_folder"};
enum { N_POINTS = sizeof points / sizeof *points };

static void a_failure_at_any_step_leaves_the_old_file_and_no_temporary(void **state)
{
    static const char *const reasons[] = {"ENOSPC", "EIO"};

    (void)state;
    for (size_t i = 0; i < N_POINTS; i++)
        for (size_t k = 0; k < 2; k++) {
            struct output *output = open_root();
            const struct output_file *files;
            struct error err = {0};
            char rule[64];

            assert_int_equal(output_write(output, "sub/model", "old", 3, true, &err), 0);
            snprintf(rule, sizeof rule, "%s:1=%s", points[i], reasons[k]);
            set_fault(rule);
            assert_int_equal(output_write(output, "sub/model", "newer", 5, true, &err), -1);
            assert_int_equal(err.code, EX_IOERR);
            assert_non_null(strstr(err.text, "sub/model"));
            assert_non_null(strstr(err.text, strerror(k == 0 ? ENOSPC : EIO)));
            /* Past the rename the new file is there, and whole; that it may not survive a power cut is the error. */
            assert_content("sub/model", i == N_POINTS - 1 ? "newer" : "old");
            assert_int_equal(count_temporaries("sub"), 0);
            assert_int_equal(output_files(output, &files), 1);
            assert_int_equal(files[0].size_bytes, 3);
            assert_int_equal(output_write(output, "sub/model", "third", 5, true, &err), 0); /* the fault was one */
            assert_content("sub/model", "third");
            output_close(output);
        }
}

static void a_kill_at_any_step_leaves_old_or_new_and_the_next_run_sweeps(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_POINTS; i++) {
        struct output *output = open_root();
        struct error err = {0};
        char rule[64];
        int status;
        pid_t child;

        assert_int_equal(output_write(output, "tnn/model", "old", 3, true, &err), 0);
        output_close(output);
        snprintf(rule, sizeof rule, "%s:1=kill", points[i]);
        child = fork();
        if (child == 0) {
            output = output_open(root, &err);
            set_fault(rule);
            output_write(output, "tnn/model", "new", 3, true, &err);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_content("tnn/model", i == N_POINTS - 1 ? "new" : "old");
        if (i > 0 && i < N_POINTS - 1)
            assert_int_equal(count_temporaries("tnn"), 1);
        output_close(open_root()); /* the lock is stale now: its pid is dead */
        assert_int_equal(count_temporaries("tnn"), 0);
    }
}

static void a_real_full_disk_is_an_io_error(void **state)
{
    struct rlimit limit = {4096, RLIM_INFINITY}, before;
    struct output *output = open_root();
    static char large[10000];
    struct error err = {0};

    (void)state;
    assert_int_equal(output_write(output, "large", "old", 3, true, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(output_write(output, "large", large, sizeof large, true, &err), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err.code, EX_IOERR);
    assert_content("large", "old");
    assert_int_equal(count_temporaries("."), 0);
    output_close(output);
}

static int reads_back(const char *path, void *context, struct error *err)
{
    char text[8] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, 7, file)] = '\0';
    fclose(file);
    return strcmp(text, context) == 0 ? 0 : error_set(err, EX_DATAERR, "expected %s", (char *)context);
}

static void write_temporary(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_file_that_does_not_read_back_gets_no_name(void **state)
{
    struct output *output = open_root();
    const struct output_file *files;
    char expected[SHA256_HEX_BYTES];
    struct error err = {0};
    const char *path;

    (void)state;
    assert_non_null(path = output_begin(output, "x/archive", &err));
    write_temporary(path, "one");
    assert_int_equal(output_commit(output, true, reads_back, "two", &err), -1);
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(access(in_root("x"), F_OK), -1); /* neither the file nor the folder made for it */

    assert_non_null(path = output_begin(output, "x/archive", &err));
    write_temporary(path, "two");
    assert_int_equal(output_commit(output, true, reads_back, "two", &err), 0);
    assert_content("x/archive", "two");
    assert_int_equal(output_files(output, &files), 1);
    assert_int_equal(files[0].size_bytes, 3);
    sha256_bytes("two", 3, expected);
    assert_string_equal(files[0].sha256, expected);

    assert_non_null(output_begin(output, "y", &err));
    output_close(output); /* a file begun and forgotten leaves nothing */
    assert_int_equal(count_temporaries("."), 0);
}

static void names_lead_only_below_the_folder(void **state)
{
    static const char *const names[] = {"", "/etc/x", "../x", "a/../../x", "a//x", "a/", ".", "a/./x"};
    struct output *output = open_root();
    char long_name[400];
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        err = (struct error){0};
        assert_int_equal(output_write(output, names[i], "x", 1, true, &err), -1);
        assert_int_equal(err.code, EX_CANTCREAT);
    }
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(output_write(output, long_name, "x", 1, true, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    output_close(output);
}

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static void missing_parents_are_made_and_a_file_in_the_way_is_refused(void **state)
{
    struct error err = {0};
    struct output *output = output_open(in_root("a/b/c"), &err);

    (void)state;
    assert_non_null(output);
    assert_int_equal(output_write(output, "x", "x", 1, true, &err), 0);
    output_close(output);
    put("file", "");
    assert_refused(in_root("file/out"), "cannot be created");
    assert_refused(in_root("file"), "Not a directory");
}

static void folders_made_for_nothing_are_removed_again(void **state)
{
    static const char *const names[] = {"a/b/c", "a/b/c/", "a//b"};
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        output_close(output_open(in_root(names[i]), &err));
        assert_int_equal(access(in_root("a"), F_OK), -1);
    }
    assert_int_equal(mkdir(in_root("a"), 0755), 0); /* not ours: stays */
    output_close(output_open(in_root("a/b"), &err));
    assert_int_equal(access(in_root("a/b"), F_OK), -1);
    output_close(output_open(in_root("a"), &err));
    assert_int_equal(access(in_root("a"), F_OK), 0);
}

static void a_removed_file_takes_its_empty_folders_with_it(void **state)
{
    struct error err = {0};
    struct output *output = open_root();

    (void)state;
    assert_int_equal(output_write(output, "x/y/one", "1", 1, true, &err), 0);
    assert_int_equal(output_write(output, "x/two", "2", 1, true, &err), 0);
    assert_int_equal(output_remove(output, "x/y/one", &err), 0);
    assert_int_equal(access(in_root("x/y"), F_OK), -1);
    assert_content("x/two", "2");
    assert_int_equal(output_remove(output, "x/nothing", &err), 0);
    assert_int_equal(output_remove(output, "../x", &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    output_close(output);
}

static void files_like_a_pattern_are_removed_also_behind_a_link(void **state)
{
    struct error err = {0};
    struct output *output = open_root();

    (void)state;
    assert_int_equal(mkdir(in_root("elsewhere"), 0777), 0);
    assert_int_equal(symlink("elsewhere", in_root("linked")), 0);
    assert_int_equal(output_write(output, "linked/0.1.h5", "1", 1, true, &err), 0);
    assert_int_equal(output_write(output, "linked/1.1.h5", "2", 1, true, &err), 0);
    assert_int_equal(output_remove_like(output, "linked", "0.*.h5", &err), 0);
    assert_int_equal(access(in_root("elsewhere/0.1.h5"), F_OK), -1);
    assert_content("elsewhere/1.1.h5", "2");
    assert_int_equal(output_remove_like(output, "linked", "1.*.h5", &err), 0);
    assert_int_equal(access(in_root("elsewhere/1.1.h5"), F_OK), -1);
    assert_int_equal(output_remove_like(output, "nowhere", "*", &err), 0);
    output_close(output);
}

static void a_folder_that_cannot_be_written_is_refused_at_once(void **state)
{
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(mkdir(in_root("readonly"), 0755), 0);
    assert_int_equal(chmod(in_root("readonly"), 0555), 0);
    assert_int_equal(chmod(root, 0755), 0);
    child = fork();
    if (child == 0) { /* as nobody where we are root: root may write anywhere */
        struct error err = {0};

        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        if (output_open(in_root("readonly"), &err) != NULL || err.code != EX_CANTCREAT ||
            strstr(err.text, "cannot be written: Permission denied") == NULL)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rmdir(in_root("readonly")); /* fails if anything was left in it */
    assert_int_equal(access(in_root("readonly"), F_OK), -1);
}

static void only_temporaries_are_swept(void **state)
{
    static const char *const gone[] = {".archive.h5.77.1234.tmp", "tnn/.m.0.1.tmp"};
    static const char *const kept[] = {"a.tmp",       ".b.tmp",    ".c.1.tmp", ".d.x.1.tmp",
                                       ".e.1.2.tmpx", "f.1.2.tmp", "..1.2.tmp"};

    (void)state;
    assert_int_equal(mkdir(in_root("tnn"), 0777), 0);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        put(gone[i], "");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        put(kept[i], "");
    output_close(open_root());
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_int_equal(access(in_root(gone[i]), F_OK), -1);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_int_equal(access(in_root(kept[i]), F_OK), 0);
}

static void a_sub_folder_with_a_lock_of_its_own_is_not_swept(void **state)
{
    static const char *const kept[] = {"live/.archive.h5.0.7.tmp", "live/tnn/.m.0.7.tmp", "jobs/live/.n.0.7.tmp"};
    static const char *const gone[] = {".a.0.1.tmp", "dead/.archive.h5.0.7.tmp", "jobs/.o.0.7.tmp"};
    static const char *const folders[] = {"live", "live/tnn", "jobs", "jobs/live", "dead"};

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(in_root(folders[i]), 0777), 0);
    put("live/.etalon.lock", "host another\npid 12\njob 0\nstart 5\n");
    put("jobs/live/.etalon.lock", ""); /* its author is just writing it */
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        put(kept[i], "");
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        put(gone[i], "");
    output_close(open_root());
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_int_equal(access(in_root(kept[i]), F_OK), 0);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_int_equal(access(in_root(gone[i]), F_OK), -1);
}

/* The sweep has gone down before the lock appears. */
static void a_lock_taken_during_a_sweep_protects_the_folder_and_those_below(void **state)
{
    struct level top = {-1, NULL}, run = {-1, &top}, part = {-1, &run};

    (void)state;
    assert_int_equal(mkdir(in_root("run"), 0777), 0);
    assert_int_equal(mkdir(in_root("run/tnn"), 0777), 0);
    put("run/tnn/.m.0.7.tmp", "");
    put(".etalon.lock", ""); /* ours: no obstacle */
    assert_true((top.fd = open(root, O_RDONLY | O_DIRECTORY)) >= 0);
    assert_true((run.fd = open(in_root("run"), O_RDONLY | O_DIRECTORY)) >= 0);
    assert_true((part.fd = open(in_root("run/tnn"), O_RDONLY | O_DIRECTORY)) >= 0);
    put("run/.etalon.lock", "");
    sweep(part.fd, &run, 0, NULL);
    assert_int_equal(access(in_root("run/tnn/.m.0.7.tmp"), F_OK), 0);
    assert_int_equal(unlink(in_root("run/.etalon.lock")), 0);
    sweep(part.fd, &run, 0, NULL);
    assert_int_equal(access(in_root("run/tnn/.m.0.7.tmp"), F_OK), -1);
    close(top.fd);
    close(run.fd);
    close(part.fd);
}

static void one_file_anywhere_sweeps_only_its_own_temporaries(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(mkdir(in_root("tnn"), 0777), 0);
    put(".x.html.0.7.tmp", "");
    put(".x.html.gz.0.7.tmp", "");
    put(".y.html.0.7.tmp", "");
    put("tnn/.x.html.0.7.tmp", "");
    assert_int_equal(output_write_path(in_root("x.html"), false, "abc", 3, &err), 0);
    assert_content("x.html", "abc");
    assert_int_equal(access(in_root(".x.html.0.7.tmp"), F_OK), -1);
    assert_int_equal(count_temporaries("."), 2);
    assert_int_equal(count_temporaries("tnn"), 1);
}

static void a_file_is_replaced_only_where_it_may(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(output_write_path(in_root("x.html"), false, "abc", 3, &err), 0);
    assert_int_equal(output_write_path(in_root("x.html"), false, "def", 3, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_non_null(strstr(err.text, "x.html: exists; use --force to replace it"));
    assert_content("x.html", "abc");
    assert_int_equal(output_write_path(in_root("x.html"), true, "def", 3, &err), 0);
    assert_content("x.html", "def");
}

static void a_folder_keeps_its_files_where_it_is_told_to(void **state)
{
    struct error err = {0};
    struct output *output = output_open(in_root("out"), &err);

    (void)state;
    assert_non_null(output);
    assert_int_equal(output_write(output, "sub/a", "1", 1, true, &err), 0);
    output_keep_files(output);
    assert_int_equal(output_write(output, "sub/a", "2", 1, true, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_non_null(strstr(err.text, "out/sub/a: exists; use --force to replace it"));
    assert_int_equal(output_write(output, "sub/b", "2", 1, true, &err), 0);
    assert_content("out/sub/a", "1");
    output_close(output);
}

/* As root, a rename would put a file in the place of /dev/null. */
static void what_is_no_file_is_not_replaced_by_one(void **state)
{
    static const char *const names[] = {"fifo", "folder", "link"};
    struct error err = {0};

    (void)state;
    assert_int_equal(mkfifo(in_root("fifo"), 0666), 0);
    assert_int_equal(mkdir(in_root("folder"), 0777), 0);
    assert_int_equal(symlink("fifo", in_root("link")), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat before, after;

        assert_int_equal(lstat(in_root(names[i]), &before), 0);
        assert_int_equal(output_write_path(in_root(names[i]), true, "abc", 3, &err), -1);
        assert_int_equal(err.code, EX_CANTCREAT);
        assert_non_null(strstr(err.text, "is no file that could be replaced"));
        assert_int_equal(lstat(in_root(names[i]), &after), 0);
        assert_true(before.st_ino == after.st_ino);
    }
    assert_int_equal(count_temporaries("."), 0);
    assert_int_equal(output_write_path(in_root("folder/"), true, "abc", 3, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
}

/* ---- the lock --------------------------------------------------------------------------------------------------- */

static void the_second_run_is_refused_naming_the_first(void **state)
{
    char host[256] = "", expected[400];
    struct output *first;
    struct error err = {0};

    (void)state;
    setenv("SLURM_JOB_ID", "77", 1);
    first = open_root();
    gethostname(host, sizeof host - 1);
    snprintf(expected, sizeof expected, "in use by pid %ld on %s, job 77", (long)getpid(), host);
    assert_refused(root, expected);
    assert_int_equal(output_write(first, "x", "x", 1, true, &err), 0); /* the first is unharmed */
    output_close(first);
    output_close(open_root());
}

static void put_lock(const char *host, long pid, const char *job, unsigned long long start)
{
    char text[512];

    snprintf(text, sizeof text, "host %s\npid %ld\njob %s\nstart %llu\n", host, pid, job, start);
    put(".etalon.lock", text);
}

static long dead_pid(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return child;
}

static void a_stale_lock_is_taken_over_and_no_other(void **state)
{
    char host[256] = "";

    (void)state;
    gethostname(host, sizeof host - 1);
    put_lock(host, dead_pid(), "0", 5);
    output_close(open_root());
    put_lock(host, getpid(), "0", 1); /* this pid is alive, but another process wrote the lock */
    output_close(open_root());
    put(".etalon.lock", "host no"); /* its author died while writing it */
    output_close(open_root());

    put_lock(host, getppid(), "0", 0);
    assert_refused(root, "in use by pid");
    put_lock("another", dead_pid(), "0", 5); /* dead here says nothing about there */
    assert_refused(root, "on another, job 0");
    put_lock("another", 12, "77", 5);
    assert_refused(root, "in use by pid 12 on another, job 77");
    setenv("SLURM_JOB_ID", "77", 1); /* requeued: what this job was before is gone */
    output_close(open_root());
}

static void assert_taken_over(const struct error *err)
{
    assert_int_equal(err->code, EX_CANTCREAT);
    if (strstr(err->text, "taken over by another start of this job") == NULL)
        fail_msg("%s", err->text);
}

/* The folder in the hands of Slurm's job 77, with a file of it. */
static struct output *open_as_job_77(void)
{
    struct output *output;
    struct error err = {0};

    setenv("SLURM_JOB_ID", "77", 1);
    output = open_root();
    assert_int_equal(output_write(output, "kept", "old", 3, true, &err), 0);
    return output;
}

static void a_requeued_job_takes_the_folder_from_its_earlier_start(void **state)
{
    struct output *earlier = open_as_job_77(), *later;
    struct error err = {0};

    (void)state;
    assert_refused(root, "job 77"); /* two steps of one start */
    setenv("SLURM_JOB_ID", "78", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    assert_refused(root, "job 77");
    setenv("SLURM_JOB_ID", "77", 1);
    later = open_root();

    assert_int_equal(output_write(earlier, "kept", "older", 5, true, &err), -1);
    assert_taken_over(&err);
    assert_int_equal(output_remove(earlier, "kept", &err), -1);
    assert_content("kept", "old");
    output_close(earlier);
    assert_int_equal(access(in_root(".etalon.lock"), F_OK), 0); /* the later one's */
    assert_int_equal(output_write(later, "kept", "new", 3, true, &err), 0);
    output_close(later);
    assert_content("kept", "new");
}

/* A verification, during which the folder changes hands; the temporary stays. */
static int loses_the_lock(const char *path, void *context, struct error *err)
{
    (void)path;
    (void)context;
    (void)err;
    assert_int_equal(unlink(in_root(".etalon.lock")), 0);
    put_lock("another", 12, "77", 5);
    return 0;
}

static void a_file_begun_before_the_folder_was_lost_gets_no_name(void **state)
{
    struct output *earlier = open_as_job_77(), *later;
    struct error err = {0};

    (void)state;
    assert_non_null(output_begin(earlier, "kept", &err));
    assert_int_equal(output_commit(earlier, true, loses_the_lock, NULL, &err), -1);
    assert_taken_over(&err);
    assert_content("kept", "old");
    assert_int_equal(count_temporaries("."), 0);
    output_close(earlier);

    earlier = open_root();
    err = (struct error){0};
    assert_non_null(output_begin(earlier, "kept", &err));
    setenv("SLURM_RESTART_COUNT", "1", 1);
    later = open_root(); /* sweeps what was begun */
    assert_int_equal(output_commit(earlier, true, NULL, NULL, &err), -1);
    assert_taken_over(&err);
    output_close(earlier);
    output_close(later);
    assert_content("kept", "old");
}

static void of_many_that_find_a_stale_lock_one_takes_it(void **state)
{
    enum { CHILDREN = 8, ROUNDS = 10 };
    char host[256] = "";

    (void)state;
    gethostname(host, sizeof host - 1);
    for (int round = 0; round < ROUNDS; round++) {
        int taken = 0, go[2], done[2];
        pid_t children[CHILDREN];

        put_lock(host, dead_pid(), "0", 5);
        assert_int_equal(pipe(go) | pipe(done), 0);
        for (int i = 0; i < CHILDREN; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct error err = {0};
                char byte;

                close(go[1]);
                close(done[0]);
                if (read(go[0], &byte, 1) != 0) /* returns when the parent closes its end */
                    _exit(2);
                byte = output_open(root, &err) != NULL ? 1 : 0;
                if (write(done[1], &byte, 1) != 1)
                    _exit(2);
                pause(); /* holds what it has until all have tried */
            }
        }
        close(go[0]);
        close(go[1]);
        for (int i = 0; i < CHILDREN; i++) {
            char byte;

            assert_int_equal(read(done[0], &byte, 1), 1);
            taken += byte;
        }
        close(done[0]);
        close(done[1]);
        for (int i = 0; i < CHILDREN; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        assert_int_equal(taken, 1);
    }
}

/* ---- several processes of a run --------------------------------------------------------------------------------- */

static void files_of_those_who_joined_are_as_if_written_by_the_opener(void **state)
{
    const struct output_file *theirs, *ours;
    struct output *output = open_root(), *joined = NULL;
    struct error err = {0};
    char key[OUTPUT_KEY_BYTES];

    (void)state;
    output_key(output, key);
    assert_int_equal(output_join(root, key, &joined, &err), 0);
    assert_non_null(joined);
    assert_int_equal(output_write(joined, "tnn/a", "abc", 3, true, &err), 0);
    assert_int_equal(output_files(joined, &theirs), 1);
    assert_int_equal(output_files(output, &ours), 0);
    assert_int_equal(output_adopt(output, &theirs[0], &err), 0);
    output_close(joined);
    assert_refused(root, "in use by pid"); /* by the one who opened it, still */
    assert_int_equal(output_files(output, &ours), 1);
    assert_string_equal(ours[0].name, "tnn/a");
    assert_string_equal(ours[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_content("tnn/a", "abc");
    output_close(output);
}

static void who_joined_writes_no_more_once_the_folder_is_lost(void **state)
{
    struct output *output, *joined = NULL;
    struct error err = {0};
    char key[OUTPUT_KEY_BYTES];

    (void)state;
    setenv("SLURM_JOB_ID", "77", 1);
    output = open_root();
    output_key(output, key);
    assert_int_equal(output_join(root, key, &joined, &err), 0);
    assert_non_null(joined);
    assert_int_equal(output_write(joined, "kept", "old", 3, true, &err), 0);
    assert_non_null(output_begin(joined, "kept", &err));
    assert_int_equal(output_commit(joined, true, loses_the_lock, NULL, &err), -1);
    assert_taken_over(&err);
    err = (struct error){0};
    assert_int_equal(output_write(joined, "kept", "older", 5, true, &err), -1);
    assert_taken_over(&err);
    assert_content("kept", "old");
    assert_int_equal(count_temporaries("."), 0);
    output_close(joined);
    output_close(output);
    assert_int_equal(access(in_root(".etalon.lock"), F_OK), 0); /* another's */
}

static void another_folder_of_the_same_name_is_not_joined(void **state)
{
    struct output *output = open_root(), *joined = NULL;
    struct error err = {0};
    char key[OUTPUT_KEY_BYTES];

    (void)state;
    output_key(output, key);
    output_close(output);
    assert_int_equal(output_join(root, key, &joined, &err), 0); /* nobody has it open */
    assert_null(joined);
    put_lock("another", 12, "0", 5); /* what a folder on that host's disk would hold */
    assert_int_equal(output_join(root, key, &joined, &err), 0);
    assert_null(joined);
    assert_int_equal(output_join(in_root("absent"), key, &joined, &err), 0);
    assert_null(joined);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root_without_a_job, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(a_written_file_has_its_bytes_size_and_digest),
        TEST(digests_agree_however_the_bytes_come),
        TEST(a_failure_at_any_step_leaves_the_old_file_and_no_temporary),
        TEST(a_kill_at_any_step_leaves_old_or_new_and_the_next_run_sweeps),
        TEST(a_real_full_disk_is_an_io_error),
        TEST(a_file_that_does_not_read_back_gets_no_name),
        TEST(names_lead_only_below_the_folder),
        TEST(missing_parents_are_made_and_a_file_in_the_way_is_refused),
        TEST(folders_made_for_nothing_are_removed_again),
        TEST(a_removed_file_takes_its_empty_folders_with_it),
        TEST(files_like_a_pattern_are_removed_also_behind_a_link),
        TEST(a_folder_that_cannot_be_written_is_refused_at_once),
        TEST(only_temporaries_are_swept),
        TEST(a_sub_folder_with_a_lock_of_its_own_is_not_swept),
        TEST(a_lock_taken_during_a_sweep_protects_the_folder_and_those_below),
        TEST(one_file_anywhere_sweeps_only_its_own_temporaries),
        TEST(a_file_is_replaced_only_where_it_may),
        TEST(a_folder_keeps_its_files_where_it_is_told_to),
        TEST(what_is_no_file_is_not_replaced_by_one),
        TEST(the_second_run_is_refused_naming_the_first),
        TEST(a_stale_lock_is_taken_over_and_no_other),
        TEST(a_requeued_job_takes_the_folder_from_its_earlier_start),
        TEST(a_file_begun_before_the_folder_was_lost_gets_no_name),
        TEST(of_many_that_find_a_stale_lock_one_takes_it),
        TEST(files_of_those_who_joined_are_as_if_written_by_the_opener),
        TEST(who_joined_writes_no_more_once_the_folder_is_lost),
        TEST(another_folder_of_the_same_name_is_not_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
