/* shapes.c — see shapes.h. */
#include "shapes.h"

#include <math.h>

/* ---- chance ---- */

/* A Weyl sequence through a mixing function (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"). */
uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double chance_between(struct chance *chance, double low, double high)
{
    return low + (high - low) * ((double)(chance_next(chance) >> 11) * 0x1p-53);
}

struct chance chance_begin(uint64_t seed, uint64_t index)
{
    struct chance chance = {seed};

    chance.state = chance_next(&chance) ^ index; /* the mixing function is a bijection */
    chance.state = chance_next(&chance);
    return chance;
}

/* ---- plane ---- */

struct point point_turn(struct point p, struct point by)
{
    return (struct point){p.x * by.x - p.y * by.y, p.x * by.y + p.y * by.x};
}

/* A unit vector of any direction, without sin and cos, whose bits differ between machines: the rational parametrisation
 * of the half circle, and a coin for the other half. Some directions are likelier than others, by at most two to one.
 */
struct point point_direction(struct chance *chance)
{
    double t = chance_between(chance, -1, 1), sign = chance_next(chance) >> 63 ? -1 : 1;

    return (struct point){sign * (1 - t * t) / (1 + t * t), sign * 2 * t / (1 + t * t)};
}

/* Uniform in the square of side 2 * reach about `centre`. One coordinate a statement: the order in which C evaluates an
 * initialiser's expressions is open. */
struct point point_about(struct chance *chance, struct point centre, double reach)
{
    centre.x += chance_between(chance, -reach, reach);
    centre.y += chance_between(chance, -reach, reach);
    return centre;
}

/* ---- shapes, about the unit circle ---- */

static double radius2(struct point p)
{
    return p.x * p.x + p.y * p.y;
}

/* How many of n half-planes at `distance` from the centre, each turned by `step` from the one before, contain p. */
static int half_planes(struct point p, int n, struct point step, double distance)
{
    int inside = 0;

    for (int i = 0; i < n; i++, p = point_turn(p, step))
        inside += p.y <= distance;
    return inside;
}

static bool in_disc(struct point p)
{
    return radius2(p) <= 1;
}

static bool in_ring(struct point p)
{
    return radius2(p) <= 1 && radius2(p) >= 0.62 * 0.62;
}

static bool in_square(struct point p)
{
    return fmax(fabs(p.x), fabs(p.y)) <= 0.85;
}

static bool in_frame(struct point p)
{
    return in_square(p) && fmax(fabs(p.x), fabs(p.y)) >= 0.5;
}

static bool in_triangle(struct point p)
{
    return half_planes(p, 3, (struct point){-0.5, 0.8660254037844386}, 0.55) == 3;
}

static bool in_cross(struct point p)
{
    return fmax(fabs(p.x), fabs(p.y)) <= 1 && fmin(fabs(p.x), fabs(p.y)) <= 0.28;
}

/* A pentagram's points lie outside one side of its inner pentagon, everything else outside two. */
static bool in_star(struct point p)
{
    return half_planes(p, 5, (struct point){0.30901699437494742, 0.95105651629515357}, 0.34) >= 4;
}

static bool in_crescent(struct point p)
{
    return radius2(p) <= 1 && radius2((struct point){p.x - 0.55, p.y}) >= 0.8 * 0.8;
}

static bool in_stripes(struct point p)
{
    return radius2(p) <= 1 && fabs(fabs(p.x) - 0.6) <= 0.25;
}

static bool in_checker(struct point p)
{
    return fmax(fabs(p.x), fabs(p.y)) <= 0.9 && (p.x > 0) == (p.y > 0);
}

static bool in_bar(struct point p)
{
    return fabs(p.y) <= 1;
}

static const struct shape {
    const char *name;
    bool (*contains)(struct point p);
} shapes[N_SHAPES] = {
    [SHAPE_DISC] = {"disc", in_disc},
    [SHAPE_RING] = {"ring", in_ring},
    [SHAPE_SQUARE] = {"square", in_square},
    [SHAPE_FRAME] = {"frame", in_frame},
    [SHAPE_TRIANGLE] = {"triangle", in_triangle},
    [SHAPE_CROSS] = {"cross", in_cross},
    [SHAPE_STAR] = {"star", in_star},
    [SHAPE_CRESCENT] = {"crescent", in_crescent},
    [SHAPE_STRIPES] = {"stripes", in_stripes},
    [SHAPE_CHECKER] = {"checker", in_checker},
    [SHAPE_BAR] = {"bar", in_bar},
};

const char *shape_name(enum shape_kind kind)
{
    return shapes[kind].name;
}

double shape_coverage(enum shape_kind kind, const struct placement *at, struct point pixel)
{
    int inside = 0;

    for (int i = 0; i < 16; i++) {
        struct point p = {pixel.x + (i % 4 - 1.5) / 4 - at->centre.x, pixel.y + (i / 4 - 1.5) / 4 - at->centre.y};

        p = point_turn(p, at->turned);
        inside += shapes[kind].contains((struct point){p.x / at->radius.x, p.y / at->radius.y});
    }
    return inside / 16.0;
}

/* ---- colours ---- */

struct colour colour_any(struct chance *chance)
{
    struct colour colour;

    for (size_t c = 0; c < 3; c++)
        colour.channel[c] = chance_between(chance, 0, 255);
    return colour;
}

struct colour colour_other(struct chance *chance, const struct colour *other, double contrast)
{
    struct colour colour = colour_any(chance);
    double difference = 0;

    for (int tries = 0; tries < 16; tries++) {
        difference = 0;
        for (size_t c = 0; c < 3; c++)
            difference += fabs(colour.channel[c] - other->channel[c]);
        if (difference >= contrast)
            break;
        colour = colour_any(chance);
    }
    return colour;
}
