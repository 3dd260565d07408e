/* log.c — see log.h. */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level level_now = LOG_INFO;
static int rank_now = -1;
static atomic_bool every_rank_speaks; /* set by the main thread while others log */
static const char *subject_now;

void log_setup(enum log_level level, int rank)
{
    level_now = level;
    rank_now = rank;
}

void log_set_level(enum log_level level)
{
    level_now = level;
}

enum log_level log_level_now(void)
{
    return level_now;
}

bool log_speak_for_itself(bool does)
{
    return atomic_exchange(&every_rank_speaks, does);
}

void log_set_subject(const char *subject)
{
    subject_now = subject;
}

static void write_line(const char *kind, const char *format, va_list args)
{
    char line[2048];
    int n = snprintf(line, sizeof line, "etalon: %s", kind), m;

    if (level_now == LOG_DEBUG && rank_now >= 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "[rank %d] ", rank_now);
    if (subject_now != NULL)
        n += snprintf(line + n, sizeof line / 2, "%.512s: ", subject_now);
    m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    n += m < 0 ? 0 : m;
    if (n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n + 1) < 0)
        return; /* nowhere left to say it */
}

#define LOG_FUNCTION(name, least, kind, from_every_rank)                                                               \
    void name(const char *format, ...)                                                                                 \
    {                                                                                                                  \
        va_list args;                                                                                                  \
                                                                                                                       \
        if (level_now < (least) || (!(from_every_rank) && !every_rank_speaks && rank_now > 0))                         \
            return;                                                                                                    \
        va_start(args, format);                                                                                        \
        write_line(kind, format, args);                                                                                \
        va_end(args);                                                                                                  \
    }

LOG_FUNCTION(log_error, LOG_ERROR, "", 1)
LOG_FUNCTION(log_warning, LOG_WARNING, "warning: ", 0)
LOG_FUNCTION(log_info, LOG_INFO, "", 0)
LOG_FUNCTION(log_debug, LOG_DEBUG, "debug: ", 1)
