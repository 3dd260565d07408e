/* yaml_tree.h — a YAML document as a small tree that remembers lines and columns, and --set on top of it.
 */
#ifndef ETALON_YAML_TREE_H
#define ETALON_YAML_TREE_H

#include "common/memory.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    size_t line, column; /* from 1; 0 for what came from --set */
    const char *text;    /* SCALAR */
    size_t n;            /* LIST, MAP */
    struct yaml **keys;  /* MAP: scalars */
    struct yaml **items; /* LIST: items; MAP: values */
};

/* Reads one document of at most 1 MiB and 100,000 nodes (aliases counted where they are used, so anchors cannot
 * explode), nested at most 64 deep, with at most 1,000 keys in a map. All memory is the arena's. EX_NOINPUT; EX_CONFIG
 * "line 3, column 7: ...": syntax, a second document, duplicate key, key that is no scalar. */
struct yaml *yaml_read(const char *path, struct arena *arena, struct error *err);

/* root.a.b.c = value (parsed as YAML, so lists and maps work); maps on the way are made. EX_USAGE. */
int yaml_set(struct yaml *root, const char *assignment, struct arena *arena, struct error *err);

/* The value under `key` of a map, or NULL. */
struct yaml *yaml_get(const struct yaml *map, const char *key);

/* "line 3, column 7", or "--set". */
const char *yaml_where(const struct yaml *node, char buffer[64]);

#endif
