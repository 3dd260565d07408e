/* log.h — messages for people, on stderr, each one line.
 *
 * error: it stops. warning: the result differs from what was asked. info: a few lines per run, from one rank. debug:
 * every rank. Results never go through here: they go to stdout.
 */
#ifndef ETALON_LOG_H
#define ETALON_LOG_H

#include <stdbool.h>

enum log_level { LOG_QUIET, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Not thread safe: called once, before threads start. rank < 0: no rank in the prefix. Ranks other than 0 print
 * errors and debug lines only. */
void log_setup(enum log_level level, int rank);
void log_set_level(enum log_level level);
enum log_level log_level_now(void);
/* While work is dealt out to ranks, each says what it has to say; else all would say the same, and rank 0 alone does.
 * Returns what was so before, for the end of that work: which may be a share of other work that is dealt out. */
bool log_speak_for_itself(bool does);
/* What all messages are about from now on, before each: "resnet20". Borrowed; NULL: nothing in particular. */
void log_set_subject(const char *subject);

/* Thread safe; one write(2) a line, so lines of ranks do not mix. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
