/* slurm.c — see slurm.h. */
#include "jobs/slurm.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The file slurm/etalon.sbatch; ends with a zero. */
static const char script[] = {
#include "etalon_sbatch.inc"
};

enum {
    MINUTE_S = 60,
    DAY_S = 86400,
    NOTICE_S = 240, /* as in the file: one block and one checkpoint, twice, and a minute because Slurm may be early */
    TEXT_BYTES = 4096,
};

extern char **environ;

/* ---- what the partition is like ---- */

/* "infinite", "[DAYS-][[HOURS:]MINUTES:]SECONDS". */
static int read_limit(const char *text, uint64_t *seconds)
{
    unsigned days = 0, parts[3] = {0};
    int used = 0, n;

    if (strcmp(text, "infinite") == 0) {
        *seconds = SLURM_NO_LIMIT;
        return 0;
    }
    if (sscanf(text, "%u-%n", &days, &used) != 1 || used == 0)
        days = 0, used = 0;
    n = sscanf(text + used, "%u:%u:%u", &parts[0], &parts[1], &parts[2]);
    if (n < 1)
        return -1;
    *seconds = 0;
    for (int i = 0; i < n; i++)
        *seconds = *seconds * 60 + parts[i];
    *seconds += (uint64_t)days * DAY_S;
    return 0;
}

static unsigned least(unsigned a, unsigned b)
{
    return a == 0 || b < a ? b : a;
}

int slurm_read(const char *text, struct slurm_partition *partition, struct error *err)
{
    struct slurm_partition p = {.name = partition->name, .limit_s = SLURM_NO_LIMIT};

    if (*text == '\0')
        return error_set(err, EX_CONFIG, "Slurm has no partition \"%s\"", p.name);
    while (*text != '\0') {
        unsigned sockets, cores, threads, nodes;
        uint64_t limit_s;
        char limit[32];
        int used = 0;

        if (sscanf(text, "%u %u %u %u %31s %n", &sockets, &cores, &threads, &nodes, limit, &used) != 5 ||
            sockets == 0 || cores == 0 || threads == 0 || read_limit(limit, &limit_s) != 0)
            return error_set(err, EX_DATAERR,
                             "sinfo: expected numbers of sockets, cores, threads and nodes, and a time, found "
                             "\"%.64s\"",
                             text);
        p.sockets = least(p.sockets, sockets);
        p.cores = least(p.cores, cores);
        p.threads = least(p.threads, threads);
        p.nodes += nodes;
        p.limit_s = limit_s < p.limit_s ? limit_s : p.limit_s;
        text += used;
    }
    *partition = p;
    return 0;
}

/* What a command prints, cut at TEXT_BYTES - 1. No shell: a partition's name is an argument, whatever is in it. */
static int read_command(char *const argv[], char text[TEXT_BYTES], struct error *err)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0, rc;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    if (pipe(ends) != 0)
        return error_set(err, EX_OSERR, "%s: no pipe: %s", argv[0], strerror(errno));
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (rc == 0)
            rc = posix_spawn_file_actions_addclose(&actions, ends[0]);
        if (rc == 0)
            rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return error_set(err, EX_UNAVAILABLE, "%s cannot be run, so nothing is known of a partition: %s", argv[0],
                         strerror(rc));
    }
    while ((got = read(ends[0], text + n, TEXT_BYTES - 1 - n)) > 0 || (got < 0 && errno == EINTR))
        n += got > 0 ? (size_t)got : 0;
    close(ends[0]);
    text[n] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, EX_UNAVAILABLE, "%s has failed; it should have told about a partition", argv[0]);
    return 0;
}

int slurm_ask(const char *name, struct slurm_partition *partition, struct error *err)
{
    char option[256], text[TEXT_BYTES];
    char *argv[] = {"sinfo", "-h", "-e", "-o", "%X %Y %Z %D %l", option, NULL};

    if (*name == '\0' || snprintf(option, sizeof option, "--partition=%s", name) >= (int)sizeof option)
        return error_set(err, EX_USAGE, "--slurm takes the name of a partition, found \"%.64s\"", name);
    partition->name = name;
    return read_command(argv, text, err) == 0 ? slurm_read(text, partition, err) : -1;
}

/* ---- the script ---- */

/* As one word for a shell. */
static void print_quoted(const char *word, FILE *out)
{
    fputc('\'', out);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

/* In an #SBATCH line: letters, digits, and what else of `allowed` harms none. */
static void print_name(const char *name, const char *allowed, FILE *out)
{
    for (; *name != '\0'; name++)
        fputc(isalnum((unsigned char)*name) || strchr(allowed, *name) != NULL ? *name : '_', out);
}

static void print_options(const struct slurm_partition *p, const char *name, FILE *out)
{
    /* A day at most: a shorter job is started sooner, and goes on from its checkpoint. In whole minutes, one at least:
     * 0 would ask for no limit. */
    uint64_t minutes = (p->limit_s < DAY_S ? p->limit_s : DAY_S) / MINUTE_S;
    uint64_t limit = (minutes > 0 ? minutes : 1) * MINUTE_S, notice = limit / 3 < NOTICE_S ? limit / 3 : NOTICE_S;

    fprintf(out, "#SBATCH --job-name=etalon-");
    print_name(name, "._-", out); /* also of the log */
    fprintf(out, " --partition=");
    print_name(p->name, "._-,", out); /* several: whichever is free first */
    fprintf(out, "\n#SBATCH --nodes=1 --exclusive --mem=0 --ntasks-per-node=%u --cpus-per-task=%u%s\n", p->sockets,
            p->cores, p->threads > 1 ? " --hint=nomultithread" : "");
    fprintf(out,
            "#SBATCH --time=%" PRIu64 " --signal=B:USR1@%" PRIu64
            " --requeue --open-mode=append --output=%%x.%%j.log\n",
            limit / MINUTE_S, notice);
}

int slurm_print(const struct slurm_partition *partition, const char *name, const char *const *words, size_t n_words,
                FILE *out, struct error *err)
{
    char program[PATH_MAX], folder[PATH_MAX];
    const char *body = strstr(script, "\n\n"); /* below what is written anew here */
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (length < 0 || getcwd(folder, sizeof folder) == NULL)
        return error_set(err, EX_OSERR, "this program or this folder has no name: %s", strerror(errno));
    if (body == NULL)
        return error_set(err, EX_SOFTWARE, "slurm/etalon.sbatch has no empty line below its options");
    program[length] = '\0';
    fprintf(out, "#!/bin/bash\n");
    print_options(partition, name, out);
    fprintf(out,
            "# Written by etalon calibrate --slurm, for nodes of %u sockets, %u cores each; the partition has %u.\n"
            "# What sbatch is told besides has precedence: sbatch --nodes=4 FILE.\n",
            partition->sockets, partition->cores, partition->nodes);
    fprintf(out, "\ncd ");
    print_quoted(folder, out);
    fprintf(out, " || exit 66\nETALON=${ETALON:-");
    print_quoted(program, out);
    fprintf(out, "}\nset -- calibrate");
    for (size_t i = 0; i < n_words; i++) {
        fputc(' ', out);
        print_quoted(words[i], out);
    }
    fprintf(out, "%s", body);
    return 0;
}
