/* yaml_tree.c — libyaml's document turned into our tree; see yaml_tree.h. */
#include "jobs/yaml_tree.h"

#include "common/bytes.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_FILE_BYTES = 1 << 20, MAX_NODES = 100000, MAX_KEYS = 1000, MAX_DEPTH = 64 };

struct conversion {
    yaml_document_t *document;
    struct arena *arena;
    size_t n_nodes;
    bool has_lines;
    struct error *err;
};

static struct yaml *convert(struct conversion *c, int index, size_t depth);

static int fail(struct conversion *c, const yaml_node_t *node, const char *what)
{
    return error_set(c->err, EX_CONFIG, "line %zu, column %zu: %s", node->start_mark.line + 1,
                     node->start_mark.column + 1, what);
}

static int convert_map(struct conversion *c, const yaml_node_t *from, struct yaml *to, size_t depth)
{
    to->n = (size_t)(from->data.mapping.pairs.top - from->data.mapping.pairs.start);
    if (to->n > MAX_KEYS) /* each is compared with all before it */
        return fail(c, from, "more than 1,000 keys");
    to->keys = arena_create_array(c->arena, to->n, sizeof *to->keys, c->err);
    to->items = to->keys == NULL ? NULL : arena_create_array(c->arena, to->n, sizeof *to->items, c->err);
    if (to->items == NULL)
        return -1;
    for (size_t i = 0; i < to->n; i++) {
        const yaml_node_pair_t *pair = &from->data.mapping.pairs.start[i];

        to->keys[i] = convert(c, pair->key, depth + 1);
        if (to->keys[i] == NULL)
            return -1;
        if (to->keys[i]->kind != YAML_SCALAR)
            return fail(c, yaml_document_get_node(c->document, pair->key), "a key must be a plain word");
        for (size_t j = 0; j < i; j++)
            if (strcmp(to->keys[j]->text, to->keys[i]->text) == 0)
                return error_set(c->err, EX_CONFIG,
                                 "line %zu, column %zu: key \"%s\" is given twice, first in line %zu",
                                 to->keys[i]->line, to->keys[i]->column, to->keys[i]->text, to->keys[j]->line);
        to->items[i] = convert(c, pair->value, depth + 1);
        if (to->items[i] == NULL)
            return -1;
    }
    return 0;
}

static int convert_list(struct conversion *c, const yaml_node_t *from, struct yaml *to, size_t depth)
{
    to->n = (size_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    to->items = arena_create_array(c->arena, to->n, sizeof *to->items, c->err);
    if (to->items == NULL)
        return -1;
    for (size_t i = 0; i < to->n; i++)
        if ((to->items[i] = convert(c, from->data.sequence.items.start[i], depth + 1)) == NULL)
            return -1;
    return 0;
}

static struct yaml *convert(struct conversion *c, int index, size_t depth)
{
    const yaml_node_t *from = yaml_document_get_node(c->document, index);
    struct yaml *to;
    int rc = 0;

    if (++c->n_nodes > MAX_NODES || depth > MAX_DEPTH) {
        fail(c, from, depth > MAX_DEPTH ? "nested deeper than 64" : "more than 100,000 values, aliases included");
        return NULL;
    }
    to = arena_create_array(c->arena, 1, sizeof *to, c->err);
    if (to == NULL)
        return NULL;
    if (c->has_lines) {
        to->line = from->start_mark.line + 1;
        to->column = from->start_mark.column + 1;
    }
    switch (from->type) {
    case YAML_SCALAR_NODE:
        to->kind = YAML_SCALAR;
        if (memchr(from->data.scalar.value, '\0', from->data.scalar.length) != NULL)
            rc = fail(c, from, "a text with a zero byte");
        else
            rc = (to->text = arena_copy_string(c->arena, (const char *)from->data.scalar.value, c->err)) == NULL ? -1
                                                                                                                 : 0;
        break;
    case YAML_SEQUENCE_NODE:
        to->kind = YAML_LIST;
        rc = convert_list(c, from, to, depth);
        break;
    case YAML_MAPPING_NODE:
        to->kind = YAML_MAP;
        rc = convert_map(c, from, to, depth);
        break;
    default:
        rc = fail(c, from, "an empty node");
    }
    return rc == 0 ? to : NULL;
}

/* What libyaml says is wrong. */
static void report_syntax(const yaml_parser_t *parser, struct error *err)
{
    error_set(err, EX_CONFIG, "line %zu, column %zu: %s", parser->problem_mark.line + 1,
              parser->problem_mark.column + 1, parser->problem == NULL ? "not YAML" : parser->problem);
}

/* 0 when nothing follows the document that was read: a second one would be ignored in silence. */
static int check_end(yaml_parser_t *parser, struct error *err)
{
    yaml_document_t next;
    const yaml_node_t *root;
    int rc = 0;

    if (!yaml_parser_load(parser, &next)) {
        report_syntax(parser, err);
        return -1;
    }
    root = yaml_document_get_root_node(&next);
    if (root != NULL)
        rc = error_set(err, EX_CONFIG, "line %zu, column %zu: a second document; expected one",
                       root->start_mark.line + 1, root->start_mark.column + 1);
    yaml_document_delete(&next);
    return rc;
}

/* The only document of `data`. */
static struct yaml *parse(const uint8_t *data, size_t size, bool has_lines, struct arena *arena, struct error *err)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct conversion c = {&document, arena, 0, has_lines, err};
    struct yaml *root = NULL;

    if (!yaml_parser_initialize(&parser)) {
        error_set(err, EX_OSERR, "no memory for the YAML parser");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, data, size);
    if (!yaml_parser_load(&parser, &document)) {
        report_syntax(&parser, err);
    } else {
        if (yaml_document_get_root_node(&document) == NULL)
            error_set(err, EX_CONFIG, "the document is empty");
        else if (check_end(&parser, err) == 0)
            root = convert(&c, 1, 0);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return root;
}

struct yaml *yaml_read(const char *path, struct arena *arena, struct error *err)
{
    struct bytes file = {0};
    struct yaml *root;

    if (bytes_read(path, MAX_FILE_BYTES, &file, err) != 0)
        return NULL;
    root = parse(file.data, file.size, true, arena, err);
    if (root == NULL)
        error_in(err, "%s", path);
    bytes_free(&file);
    return root;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->keys[i]->text, key) == 0)
            return map->items[i];
    return NULL;
}

struct yaml *yaml_parse(const void *data, size_t size, bool has_lines, struct arena *arena, struct error *err)
{
    return parse(data, size, has_lines, arena, err);
}

int yaml_put(struct yaml *map, const char *key, struct yaml *item, struct arena *arena, struct error *err)
{
    struct yaml **keys, **items, *name;

    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->keys[i]->text, key) == 0) {
            map->items[i] = item;
            return 0;
        }
    keys = arena_create_array(arena, map->n + 1, sizeof *keys, err);
    items = keys == NULL ? NULL : arena_create_array(arena, map->n + 1, sizeof *items, err);
    name = items == NULL ? NULL : arena_create_array(arena, 1, sizeof *name, err);
    if (name == NULL || (name->text = arena_copy_string(arena, key, err)) == NULL)
        return -1;
    if (map->n > 0) {
        memcpy(keys, map->keys, map->n * sizeof *keys);
        memcpy(items, map->items, map->n * sizeof *items);
    }
    keys[map->n] = name;
    items[map->n] = item;
    map->keys = keys;
    map->items = items;
    map->n++;
    return 0;
}

int yaml_set(struct yaml *root, const char *assignment, struct arena *arena, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    char *path = arena_copy_string(arena, assignment, err), *key, *dot;
    struct yaml *value, *at = root;

    if (path == NULL)
        return -1;
    if (equals == NULL || equals == assignment)
        return error_set(err, EX_USAGE, "--set: expected key=value, found \"%s\"", assignment);
    path[equals - assignment] = '\0';
    value = equals[1] == '\0' ? NULL : parse((const uint8_t *)equals + 1, strlen(equals + 1), false, arena, err);
    if (value == NULL)
        return error_set(err, EX_USAGE, "--set %s: the value is no YAML", assignment);
    for (key = path; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
        struct yaml *next;

        *dot = '\0';
        next = yaml_get(at, key);
        if (next == NULL) {
            next = arena_create_array(arena, 1, sizeof *next, err);
            if (next == NULL)
                return -1;
            next->kind = YAML_MAP;
            if (yaml_put(at, key, next, arena, err) != 0)
                return -1;
        }
        if (next->kind != YAML_MAP)
            return error_set(err, EX_USAGE, "--set %s: \"%s\" holds a value, not keys", assignment, key);
        at = next;
    }
    return yaml_put(at, key, value, arena, err);
}

int yaml_merge(struct yaml *into, const struct yaml *from, struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < from->n; i++) {
        const char *key = from->keys[i]->text;
        struct yaml *there = yaml_get(into, key), *item = from->items[i];

        if (there == NULL && item->kind == YAML_MAP) { /* a map of its own, which may be changed */
            there = arena_create_array(arena, 1, sizeof *there, err);
            if (there == NULL)
                return -1;
            *there = (struct yaml){.kind = YAML_MAP, .line = item->line, .column = item->column};
            if (yaml_put(into, key, there, arena, err) != 0)
                return -1;
        } else if (there == NULL && yaml_put(into, key, item, arena, err) != 0) {
            return -1;
        }
        if (item->kind == YAML_MAP && there->kind == YAML_MAP && yaml_merge(there, item, arena, err) != 0)
            return -1;
    }
    return 0;
}

void yaml_remove(struct yaml *root, const char *path)
{
    const char *dot = strchr(path, '.');
    size_t length = dot == NULL ? strlen(path) : (size_t)(dot - path);

    for (size_t i = 0; root->kind == YAML_MAP && i < root->n; i++) {
        if (strncmp(root->keys[i]->text, path, length) != 0 || root->keys[i]->text[length] != '\0')
            continue;
        if (dot != NULL) {
            yaml_remove(root->items[i], dot + 1);
            return;
        }
        root->n--;
        memmove(&root->keys[i], &root->keys[i + 1], (root->n - i) * sizeof(struct yaml *));
        memmove(&root->items[i], &root->items[i + 1], (root->n - i) * sizeof(struct yaml *));
        return;
    }
}

struct yaml *yaml_copy(const struct yaml *node, struct arena *arena, struct error *err)
{
    struct yaml *copy = arena_create_array(arena, 1, sizeof *copy, err);

    if (copy == NULL)
        return NULL;
    *copy = *node;
    if (node->n == 0)
        return copy;
    copy->items = arena_create_array(arena, node->n, sizeof(struct yaml *), err);
    if (copy->items == NULL)
        return NULL;
    memcpy(copy->items, node->items, node->n * sizeof(struct yaml *));
    if (node->kind != YAML_MAP)
        return copy;
    copy->keys = arena_create_array(arena, node->n, sizeof(struct yaml *), err);
    if (copy->keys == NULL)
        return NULL;
    memcpy(copy->keys, node->keys, node->n * sizeof(struct yaml *));
    return copy;
}

/* NULL when memory ends. Depth was bounded when the tree was read. */
static json_t *to_json(const struct yaml *node)
{
    json_t *out = node->kind == YAML_SCALAR ? json_string(node->text)
                  : node->kind == YAML_LIST ? json_array()
                                            : json_object();
    int rc = out == NULL;

    for (size_t i = 0; rc == 0 && node->kind != YAML_SCALAR && i < node->n; i++)
        rc = node->kind == YAML_LIST ? json_array_append_new(out, to_json(node->items[i]))
                                     : json_object_set_new(out, node->keys[i]->text, to_json(node->items[i]));
    if (rc == 0)
        return out;
    json_decref(out);
    return NULL;
}

const char *yaml_print(const struct yaml *root, struct arena *arena, struct error *err)
{
    json_t *json = to_json(root);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    const char *copy = NULL;

    if (text == NULL)
        error_set(err, EX_OSERR, "no memory for a job's text");
    else
        copy = arena_copy_string(arena, text, err);
    free(text);
    json_decref(json);
    return copy;
}

const char *yaml_where(const struct yaml *node, char buffer[64])
{
    if (node->line == 0)
        snprintf(buffer, 64, "--set");
    else
        snprintf(buffer, 64, "line %zu, column %zu", node->line, node->column);
    return buffer;
}
