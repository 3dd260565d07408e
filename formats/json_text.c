/* json_text.c — see json_text.h. */
#include "formats/json_text.h"

#include "common/bytes.h"
#include "common/printable.h"
#include "formats/text_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *from)
{
    size_t size = PRINTABLE_GROWTH * strlen(from) + PRINTABLE_MARGIN;
    char *copy = malloc(size);
    json_t *string = copy == NULL ? NULL : json_string(printable_copy(copy, size, from));

    free(copy);
    return string;
}

void json_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0) /* takes the item after a failure, too */
        return;
    json_decref(*list);
    *list = NULL;
}

void json_put(json_t **object, const char *key, json_t *item)
{
    json_t *text = json_text(key);

    if (text == NULL)
        json_decref(item);
    if (text == NULL || json_object_set_new(*object, json_string_value(text), item) != 0) {
        json_decref(*object);
        *object = NULL;
    }
    json_decref(text);
}

double json_number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

json_t *json_file_read(const char *path, struct error *err)
{
    json_error_t why = {0};
    struct bytes file;
    json_t *root;

    if (bytes_read(path, JSON_FILE_BYTES, &file, err) != 0)
        return NULL;
    root = json_loadb((const char *)file.data, file.size, JSON_REJECT_DUPLICATES, &why);
    bytes_free(&file);
    if (json_is_object(root))
        return root;
    if (root == NULL)
        error_set(err, EX_DATAERR, "%s: line %d: no JSON: %s", path, why.line, why.text);
    else
        error_set(err, EX_DATAERR, "%s: expected a JSON object", path);
    json_decref(root);
    return NULL;
}

int json_file_write(json_t *root, struct output *output, const char *folder, const char *name, struct error *err)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    int rc = text == NULL ? error_set(err, EX_OSERR, "cannot allocate memory for %s", name)
                          : text_file_write(output, folder, name, text, strlen(text), err);

    free(text);
    json_decref(root);
    return rc;
}

int json_print(json_t *root, FILE *out, struct error *err)
{
    int rc = 0;

    if (root == NULL)
        return error_set(err, EX_OSERR, "cannot allocate memory for JSON");
    if (json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0 || fputc('\n', out) == EOF)
        rc = error_set(err, EX_IOERR, "the JSON cannot be written");
    json_decref(root);
    return rc;
}
