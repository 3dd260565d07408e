/* schema.c — see schema.h. */
#include "jobs/schema.h"

#include "common/suggest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int schema_wrong(struct schema *r, const struct yaml *node, const char *expected)
{
    static const char *const kinds[] = {[YAML_SCALAR] = "a value", [YAML_LIST] = "a list", [YAML_MAP] = "keys"};
    char where[64];

    if (node->kind == YAML_SCALAR)
        return error_set(r->err, EX_CONFIG, "%s: expected %s, found \"%s\"", yaml_where(node, where), expected,
                         node->text);
    return error_set(r->err, EX_CONFIG, "%s: expected %s, found %s", yaml_where(node, where), expected,
                     kinds[node->kind]);
}

int schema_unknown(struct schema *r, const struct yaml *node, const char *what, const char *nearest)
{
    char where[64];

    return error_set(r->err, EX_CONFIG, "%s: %s \"%s\" does not exist; the nearest is \"%s\"", yaml_where(node, where),
                     what, node->text, nearest);
}

int schema_map(struct schema *r, const struct yaml *map, const struct schema_field *fields, size_t n)
{
    if (map->kind != YAML_MAP)
        return schema_wrong(r, map, "keys");
    for (size_t i = 0; i < map->n; i++) {
        size_t f = 0;

        while (f < n && strcmp(fields[f].name, map->keys[i]->text) != 0)
            f++;
        if (f == n)
            return schema_unknown(r, map->keys[i], "key",
                                  suggest_nearest(map->keys[i]->text, &fields[0].name, n, sizeof *fields));
        if (fields[f].read(r, map->items[i], fields[f].target) != 0)
            return -1;
    }
    return 0;
}

int schema_text(struct schema *r, const struct yaml *node, void *target)
{
    if (node->kind != YAML_SCALAR)
        return schema_wrong(r, node, "a text");
    *(const char **)target = node->text;
    return 0;
}

/* Is `folder` one in its parent, so that "folder/.." is that parent? Then it is cut to the parent: "" for the working
 * directory. A link leads elsewhere, and so may what does not exist. */
static bool cut_to_parent(char *folder)
{
    char *slash = strrchr(folder, '/'), *name = slash == NULL ? folder : slash + 1;
    struct stat info;

    if (slash == folder || *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        lstat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
        return false;
    *(slash == NULL ? folder : slash) = '\0';
    return true;
}

/* `text`, from the job's folder on; as short as messages should have it. */
static const char *join(struct schema *r, const char *text)
{
    char *folder = arena_format(r->arena, r->err, "%s", r->folder);

    if (folder == NULL)
        return NULL;
    while (strncmp(text, "../", 3) == 0 && text[3] != '/' && text[3] != '\0' && cut_to_parent(folder))
        text += 3;
    return folder[0] == '\0' ? text : arena_format(r->arena, r->err, "%s/%s", folder, text);
}

int schema_path(struct schema *r, const struct yaml *node, void *target)
{
    const char *path;

    if (node->kind != YAML_SCALAR || node->text[0] == '\0')
        return schema_wrong(r, node, "a path");
    path = node->text[0] == '/' ? node->text : join(r, node->text);
    *(const char **)target = path;
    return path == NULL ? -1 : 0;
}

int schema_count(struct schema *r, const struct yaml *node, void *target)
{
    char *end;
    unsigned long long value;

    if (node->kind != YAML_SCALAR || node->text[0] < '0' || node->text[0] > '9')
        return schema_wrong(r, node, "a whole number, 0 or more");
    errno = 0;
    value = strtoull(node->text, &end, 10);
    if (*end != '\0' || errno != 0)
        return schema_wrong(r, node, "a whole number, 0 or more");
    *(uint64_t *)target = value;
    return 0;
}

int schema_number(struct schema *r, const struct yaml *node, void *target)
{
    char *end;
    double value;

    if (node->kind != YAML_SCALAR)
        return schema_wrong(r, node, "a number");
    value = strtod(node->text, &end);
    if (end == node->text || *end != '\0' || !isfinite(value))
        return schema_wrong(r, node, "a finite number");
    *(double *)target = value;
    return 0;
}

const char *schema_set(struct schema *r, const char *key, const struct yaml *value)
{
    const char *text = yaml_print(value, r->arena, r->err);

    return text == NULL ? NULL : arena_format(r->arena, r->err, "%s=%s", key, text);
}

int schema_word(struct schema *r, const struct yaml *node, const char *what, const char *const *words, size_t n,
                size_t *index)
{
    if (node->kind != YAML_SCALAR)
        return schema_wrong(r, node, what);
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], node->text) == 0) {
            *index = i;
            return 0;
        }
    return schema_unknown(r, node, what, suggest_nearest(node->text, words, n, sizeof *words));
}

int schema_truth(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"false", "true"};
    size_t index;

    if (schema_word(r, node, "truth value", words, COUNT(words), &index) != 0)
        return -1;
    *(bool *)target = index == 1;
    return 0;
}

int schema_floats(struct schema *r, const struct yaml *node, float *values, size_t max, size_t *n)
{
    char expected[64];

    snprintf(expected, sizeof expected, "one number, or a list of at most %zu", max);
    if (node->kind == YAML_MAP || (node->kind == YAML_LIST && (node->n == 0 || node->n > max)))
        return schema_wrong(r, node, expected);
    *n = node->kind == YAML_SCALAR ? 1 : node->n;
    for (size_t i = 0; i < *n; i++) {
        const struct yaml *item = node->kind == YAML_SCALAR ? node : node->items[i];
        double value;

        if (schema_number(r, item, &value) != 0)
            return -1;
        values[i] = (float)value;
        if (!isfinite(values[i]))
            return schema_wrong(r, item, "a number that a float can hold");
    }
    return 0;
}

int schema_size(struct schema *r, const struct yaml *node, void *target)
{
    uint64_t value = 0;

    if (schema_count(r, node, &value) != 0)
        return -1;
    if (value == 0 || value > 65536)
        return schema_wrong(r, node, "a size from 1 to 65536");
    *(size_t *)target = (size_t)value;
    return 0;
}

int schema_later(struct schema *r, const struct yaml *node, void *target)
{
    (void)r;
    *(const struct yaml **)target = node;
    return 0;
}

int schema_shape(struct schema *r, const struct yaml *node, void *target)
{
    struct shape *shape = target;

    if (node->kind != YAML_LIST || node->n == 0 || node->n > TENSOR_MAX_RANK)
        return schema_wrong(r, node, "a list of 1 to 8 dimensions");
    shape->rank = node->n;
    for (size_t i = 0; i < node->n; i++) {
        uint64_t dim = 0;

        if (schema_count(r, node->items[i], &dim) != 0)
            return -1;
        if (dim == 0 || dim > INT32_MAX)
            return schema_wrong(r, node->items[i], "a dimension of at least 1");
        shape->dims[i] = (int64_t)dim;
    }
    return 0;
}
