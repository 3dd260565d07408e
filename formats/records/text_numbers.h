/* text_numbers.h — decimals between spaces, the text inputs of TNN's tools.
 */
#ifndef ETALON_TEXT_NUMBERS_H
#define ETALON_TEXT_NUMBERS_H

#include "formats/record.h"

/* The pixels of *record from the text: as many numbers as request->shape has elements, in its order, as floats.
 * EX_DATAERR: another count, a word that is no number. The result does not depend on the locale. */
int text_numbers_decode(const struct dataset_request *request, const uint8_t *text, size_t size, struct record *record,
                        struct error *err);

#endif
