/* fault.c — see fault.h. Empty unless faults are compiled in. */
#include "common/fault.h"

#ifdef ETALON_FAULTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_RULES = 16, POINT_BYTES = 48, ACTION_BYTES = 24 };

struct rule {
    char point[POINT_BYTES], action[ACTION_BYTES];
    unsigned at;
    atomic_uint passages;
};

static struct rule rules[MAX_RULES];
static size_t n_rules;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    int number;
} errnos[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT}, {"EACCES", EACCES}, {"EROFS", EROFS}, {"ENOMEM", ENOMEM},
};

/* The number of an errno's name; 0 when it is not one of ours. */
static int errno_number(const char *name)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (strcmp(errnos[i].name, name) == 0)
            return errnos[i].number;
    return 0;
}

static int is_action(const char *action)
{
    return strcmp(action, "kill") == 0 || strcmp(action, "stop") == 0 || strncmp(action, "stall:", 6) == 0 ||
           errno_number(action) != 0;
}

static void load(void)
{
    const char *text = getenv("FAULT");

    n_rules = 0;
    while (text != NULL && *text != '\0') {
        struct rule *rule = &rules[n_rules];
        int used = 0;

        if (n_rules == MAX_RULES ||
            sscanf(text, "%47[^:]:%u=%23[^,]%n", rule->point, &rule->at, rule->action, &used) != 3 ||
            !is_action(rule->action)) {
            fprintf(stderr, "etalon: FAULT: cannot understand \"%s\"\n", text);
            abort();
        }
        atomic_store(&rule->passages, 0);
        n_rules++;
        text += used;
        text += *text == ',';
    }
}

static void stall(const char *milliseconds)
{
    long ms = strtol(milliseconds, NULL, 10);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        continue;
}

static int act(const char *action)
{
    if (strcmp(action, "kill") == 0)
        raise(SIGKILL);
    else if (strcmp(action, "stop") == 0)
        raise(SIGSTOP);
    else if (strncmp(action, "stall:", 6) == 0)
        stall(action + 6);
    else {
        errno = errno_number(action);
        return -1;
    }
    return 0;
}

int fault(const char *point)
{
    int rc = 0;

    pthread_once(&once, load);
    for (size_t i = 0; i < n_rules; i++)
        if (strcmp(rules[i].point, point) == 0 && atomic_fetch_add(&rules[i].passages, 1) + 1 == rules[i].at)
            rc = act(rules[i].action);
    return rc;
}

void fault_reload(void)
{
    pthread_once(&once, load);
    load();
}

#else
typedef int fault_is_compiled_out; /* ISO C wants a translation unit to declare something */
#endif
