/* real_text.c — see real_text.h. */
#include "common/real_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *real_text(float value, char text[REAL_TEXT_BYTES])
{
    if (isnan(value)) /* equal to nothing, and its sign means nothing */
        snprintf(text, REAL_TEXT_BYTES, "nan");
    for (int digits = 6; digits <= 9 && !isnan(value); digits++) {
        snprintf(text, REAL_TEXT_BYTES, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}
