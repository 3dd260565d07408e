/* json_text.h — a text of a stranger's as a JSON string, which holds UTF-8 only: see common/printable.h.
 */
#ifndef ETALON_JSON_TEXT_H
#define ETALON_JSON_TEXT_H

#include <jansson.h>

json_t *json_text(const char *from); /* NULL when memory ends */

#endif
