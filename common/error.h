/* error.h — one error, filled where the fault is known, wrapped on the way out, printed once by main.
 *
 * `code` is a value from <sysexits.h>, so an error already is an exit status (the table is in jobs/doc/errors.md):
 * 64 usage, 65 data, 66 no input, 69 unsupported, 70 our bug, 71 memory/threads/MPI, 73 output, 74 I/O, 75 try again,
 * 78 job file. The text is a sentence naming file, item, expected, found, without a trailing newline.
 */
#ifndef ETALON_ERROR_H
#define ETALON_ERROR_H

#include <stdarg.h>
#include <sysexits.h>

enum { ERROR_TEXT_BYTES = 1024 };

struct error {
    int code; /* 0: no error */
    char text[ERROR_TEXT_BYTES];
};

/* Fills err (which may be NULL) and returns -1, so that failing is one line: return error_set(err, EX_DATAERR, ...).
 * The text is made printable (printable.h): names come from strangers' files. What does not fit is cut and ends in
 * "...". */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for functions that take a format themselves. */
int error_setv(struct error *err, int code, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Prepends "<formatted>: " to the text already there, keeps the code, returns -1. */
int error_in(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
