/* real_text.h — a float as the shortest decimal text that reads back to the same bits. */
#ifndef ETALON_REAL_TEXT_H
#define ETALON_REAL_TEXT_H

enum { REAL_TEXT_BYTES = 24 };

/* At least six digits' worth, at most nine, which always suffice. "inf", "-inf" and "nan" where it is none. Returns
 * `text`. */
const char *real_text(float value, char text[REAL_TEXT_BYTES]);

#endif
