/* error.c — formatting of errors; see error.h. */
#include "common/error.h"

#include "common/printable.h"

#include <stdio.h>

int error_setv(struct error *err, int code, const char *format, va_list args)
{
    char raw[ERROR_TEXT_BYTES];

    if (err == NULL)
        return -1;
    vsnprintf(raw, sizeof raw, format, args);
    err->code = code;
    printable_copy(err->text, sizeof err->text, raw);
    return -1;
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_setv(err, code, format, args);
    va_end(args);
    return -1;
}

int error_in(struct error *err, const char *format, ...)
{
    char where[ERROR_TEXT_BYTES / 2], joined[2 * ERROR_TEXT_BYTES];
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, format);
    vsnprintf(where, sizeof where, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "%s: %s", where, err->text);
    printable_copy(err->text, sizeof err->text, joined);
    return -1;
}
