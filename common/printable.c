/* printable.c — see printable.h. */
#include "common/printable.h"

#include <string.h>

size_t printable_utf8_length(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    unsigned char least = 0x80, most = 0xbf; /* of the second byte */
    size_t n;

    if (byte[0] < 0x80)
        return byte[0] != 0;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    n = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (byte[0] == 0xe0)
        least = 0xa0;
    if (byte[0] == 0xed)
        most = 0x9f;
    if (byte[0] == 0xf0)
        least = 0x90;
    if (byte[0] == 0xf4)
        most = 0x8f;
    if (byte[1] < least || byte[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++) /* a terminating zero ends the walk: it is no continuation byte */
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey too. */
static bool is_control(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    return byte[0] < 0x20 || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0);
}

bool printable_is_line(const char *text)
{
    while (*text != '\0') {
        size_t length = printable_utf8_length(text);

        if (length == 0 || is_control(text) || strncmp(text, "\u2028", length) == 0 ||
            strncmp(text, "\u2029", length) == 0)
            return false;
        text += length;
    }
    return true;
}

/* The next character of *from, or its first byte escaped, into piece; *from moves on. Its length, 0 at the end. */
static size_t take(const char **from, char piece[PRINTABLE_MARGIN])
{
    size_t length = is_control(*from) ? 0 : printable_utf8_length(*from);

    if (**from == '\0')
        return 0;
    if (length > 0) {
        memcpy(piece, *from, length);
        *from += length;
        return length;
    }
    snprintf(piece, PRINTABLE_MARGIN, "\\x%02x", (unsigned)(unsigned char)**from);
    *from += 1;
    return strlen(piece);
}

char *printable_copy(char *to, size_t size, const char *from)
{
    static const char dots[] = "...";
    char piece[PRINTABLE_MARGIN];
    size_t n = 0, length;

    for (; (length = take(&from, piece)) > 0; n += length) {
        if (n + length + sizeof dots > size) {
            memcpy(to + n, dots, sizeof dots);
            return to;
        }
        memcpy(to + n, piece, length);
    }
    to[n] = '\0';
    return to;
}

void printable_print(const char *text, FILE *out)
{
    char piece[PRINTABLE_MARGIN];
    size_t length;

    while ((length = take(&text, piece)) > 0)
        fwrite(piece, 1, length, out);
}
