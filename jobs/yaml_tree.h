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

/* A tree of the same texts, from the bytes of a document, with or without lines. EX_CONFIG. */
struct yaml *yaml_parse(const void *data, size_t size, bool has_lines, struct arena *arena, struct error *err);

/* map[key] = item, replacing what was there. EX_OSERR. */
int yaml_put(struct yaml *map, const char *key, struct yaml *item, struct arena *arena, struct error *err);
/* root.a.b is there no more. */
void yaml_remove(struct yaml *root, const char *path);
/* Where `into` is silent it now says what `from` says, map by map; later changes of it leave `from` alone. EX_OSERR. */
int yaml_merge(struct yaml *into, const struct yaml *from, struct arena *arena, struct error *err);
/* A node with lists of its own, which may be changed, of the same keys and items. EX_OSERR. */
struct yaml *yaml_copy(const struct yaml *node, struct arena *arena, struct error *err);

/* The tree as JSON, which is YAML too, all scalars as texts: equal trees give equal text. In the arena; EX_OSERR. */
const char *yaml_print(const struct yaml *root, struct arena *arena, struct error *err);

/* "line 3, column 7", or "--set". */
const char *yaml_where(const struct yaml *node, char buffer[64]);

#endif
