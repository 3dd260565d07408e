/* error.c — formatting of errors; see error.h. */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies `from` into `to`, writing control bytes as \xNN. Bytes from 0x80 on pass: they are UTF-8 in sane files. */
static void copy_printable(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; *from != '\0'; from++) {
        unsigned char byte = (unsigned char)*from;
        size_t need = byte < 0x20 || byte == 0x7f ? 4 : 1;

        if (n + need + 4 > size) {
            memcpy(to + n, "...", 3);
            n += 3;
            break;
        }
        if (need == 4)
            snprintf(to + n, 5, "\\x%02x", byte);
        else
            to[n] = (char)byte;
        n += need;
    }
    to[n] = '\0';
}

int error_set(struct error *err, int code, const char *format, ...)
{
    char raw[ERROR_TEXT_BYTES];
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    err->code = code;
    copy_printable(err->text, sizeof err->text, raw);
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
    copy_printable(err->text, sizeof err->text, joined);
    return -1;
}
