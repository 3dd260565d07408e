/* class_map.h — what the numbers in a label picture mean: raw value -> class.
 */
#ifndef ETALON_CLASS_MAP_H
#define ETALON_CLASS_MAP_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLASS_MAP_VALUES = 256, CLASS_IGNORED = -1, CLASS_UNKNOWN = -2 };

struct class_map {
    bool is_given;                /* else every value that is not ignored is its own class */
    int16_t of[CLASS_MAP_VALUES]; /* a class from 0, CLASS_IGNORED or CLASS_UNKNOWN */
    size_t n_classes;             /* of the network: values of other classes are unknown */
};

/* Every value is its own class, none is ignored. */
void class_map_init(struct class_map *map);

/* Replaces the raw values x[0..n) of a picture, in rows of `width`, by classes and CLASS_IGNORED. EX_DATAERR naming the
 * first that has no class. */
int class_map_apply(const struct class_map *map, float *x, size_t n, size_t width, struct error *err);

#endif
