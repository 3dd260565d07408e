/* json_text.h — what jansson leaves to us: texts of strangers, lists that grow, numbers that may be absent, files.
 *
 * Values of NULL stand for "memory ended" and may be passed on: what is made of them is NULL.
 */
#ifndef ETALON_JSON_TEXT_H
#define ETALON_JSON_TEXT_H

#include "common/output.h"

#include <jansson.h>
#include <stdio.h>

/* As a JSON string, which holds UTF-8 only: see common/printable.h. */
json_t *json_text(const char *from);
/* Takes item, and *list too (which becomes NULL) where either is NULL. Keys become what json_text makes of them. */
void json_append(json_t **list, json_t *item);
void json_put(json_t **object, const char *key, json_t *item);
/* A number of an object; NaN where there is none, or no object. */
double json_number_at(const json_t *object, const char *key);
/* The object that a file holds, to be freed. EX_NOINPUT: cannot be opened; EX_DATAERR: no JSON (with its line), no
 * object, a key twice, or more than JSON_FILE_BYTES. */
enum { JSON_FILE_BYTES = 1 << 28 };
json_t *json_file_read(const char *path, struct error *err);
/* Takes root, whose keys keep their order; floats have nine digits. Writes <folder>/<name>. EX_OSERR, EX_CANTCREAT,
 * EX_IOERR. */
int json_file_write(json_t *root, struct output *output, const char *folder, const char *name, struct error *err);
/* The same to a stream, and a line's end. EX_OSERR where root is NULL; EX_IOERR. */
int json_print(json_t *root, FILE *out, struct error *err);

#endif
