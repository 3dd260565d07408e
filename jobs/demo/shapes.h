/* shapes.h — what the demo's pictures are made of: chance, places, colours, and ten shapes about the unit circle.
 *
 * All randomness is integers, all geometry is + - * / and comparison of doubles: the same bits on every machine.
 */
#ifndef ETALON_DEMO_SHAPES_H
#define ETALON_DEMO_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* Number `index` of the series `seed`: far apart for neighbouring numbers. */
struct chance chance_begin(uint64_t seed, uint64_t index);
uint64_t chance_next(struct chance *chance);
double chance_between(struct chance *chance, double low, double high); /* uniform in [low, high) */

struct point {
    double x, y; /* y grows downward */
};

/* Product of complex numbers: turns p by the angle of the unit vector `by`. */
struct point point_turn(struct point p, struct point by);
/* A unit vector of any direction. Some are likelier than others, by at most two to one. */
struct point point_direction(struct chance *chance);
/* Uniform in the square of side 2 * reach about `centre`. */
struct point point_about(struct chance *chance, struct point centre, double reach);

enum shape_kind {
    SHAPE_DISC,
    SHAPE_RING,
    SHAPE_SQUARE,
    SHAPE_FRAME,
    SHAPE_TRIANGLE,
    SHAPE_CROSS,
    SHAPE_STAR,
    SHAPE_CRESCENT,
    SHAPE_STRIPES,
    SHAPE_CHECKER,
    SHAPE_BAR, /* endless; the others lie within a circle of radius 1.3 */
    N_SHAPES
};

const char *shape_name(enum shape_kind kind); /* a constant, e.g. "ring" */

/* Where a shape lies: its unit circle becomes an ellipse about `centre`, in pixels. */
struct placement {
    struct point centre, radius, turned;
};

/* The part of a pixel that the shape covers, from 4 x 4 samples: a multiple of 1/16. */
double shape_coverage(enum shape_kind kind, const struct placement *at, struct point pixel);

struct colour {
    double channel[3]; /* 0..255 */
};

struct colour colour_any(struct chance *chance);
/* One that stands out from `other`: the channels differ by `contrast` in all. */
struct colour colour_other(struct chance *chance, const struct colour *other, double contrast);

#endif
