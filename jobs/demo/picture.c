/* picture.c — see picture.h. */
#include "picture.h"

#include <math.h>
#include <stdbool.h>

/* ---- chance ---- */

struct chance {
    uint64_t state;
};

/* A Weyl sequence through a mixing function (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"). */
static uint64_t next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [low, high). */
static double between(struct chance *chance, double low, double high)
{
    return low + (high - low) * ((double)(next(chance) >> 11) * 0x1p-53);
}

/* ---- plane ---- */

struct point {
    double x, y; /* y grows downward */
};

/* Product of complex numbers: turns p by the angle of the unit vector `by`. */
static struct point turn(struct point p, struct point by)
{
    return (struct point){p.x * by.x - p.y * by.y, p.x * by.y + p.y * by.x};
}

/* A unit vector of any direction, without sin and cos, whose bits differ between machines: the rational parametrisation
 * of the half circle, and a coin for the other half. Some directions are likelier than others, by at most two to one.
 */
static struct point direction(struct chance *chance)
{
    double t = between(chance, -1, 1), sign = next(chance) >> 63 ? -1 : 1;

    return (struct point){sign * (1 - t * t) / (1 + t * t), sign * 2 * t / (1 + t * t)};
}

/* Uniform in the square of side 2 * reach about `centre`. One coordinate a statement: the order in which C evaluates an
 * initialiser's expressions is open. */
static struct point about(struct chance *chance, struct point centre, double reach)
{
    centre.x += between(chance, -reach, reach);
    centre.y += between(chance, -reach, reach);
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

    for (int i = 0; i < n; i++, p = turn(p, step))
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

static const struct shape {
    const char *name;
    bool (*contains)(struct point p);
} shapes[PICTURE_CLASSES] = {
    {"disc", in_disc},         {"ring", in_ring},       {"square", in_square}, {"frame", in_frame},
    {"triangle", in_triangle}, {"cross", in_cross},     {"star", in_star},     {"crescent", in_crescent},
    {"stripes", in_stripes},   {"checker", in_checker},
};

const char *picture_class(size_t label)
{
    return shapes[label].name;
}

static bool in_bar(struct point p)
{
    return fabs(p.y) <= 1;
}

/* ---- painting ---- */

struct colour {
    double channel[3]; /* 0..255 */
};

static struct colour any_colour(struct chance *chance)
{
    struct colour colour;

    for (size_t c = 0; c < 3; c++)
        colour.channel[c] = between(chance, 0, 255);
    return colour;
}

/* A colour that stands out from `other`: the channels differ by `contrast` in all. */
static struct colour other_colour(struct chance *chance, const struct colour *other, double contrast)
{
    struct colour colour = any_colour(chance);
    double difference = 0;

    for (int tries = 0; tries < 16; tries++) {
        difference = 0;
        for (size_t c = 0; c < 3; c++)
            difference += fabs(colour.channel[c] - other->channel[c]);
        if (difference >= contrast)
            break;
        colour = any_colour(chance);
    }
    return colour;
}

struct canvas {
    double rgb[PICTURE_SIDE][PICTURE_SIDE][3];
};

static struct point centre_of(int row, int column)
{
    return (struct point){column + 0.5 - PICTURE_SIDE / 2, row + 0.5 - PICTURE_SIDE / 2};
}

/* From one colour to another along a random direction. */
static void paint_background(struct canvas *canvas, struct chance *chance, const struct colour *from,
                             const struct colour *to)
{
    struct point along = direction(chance);

    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++) {
            double share = 0.5 + turn(centre_of(row, column), along).x / (1.5 * PICTURE_SIDE);

            for (size_t c = 0; c < 3; c++)
                canvas->rgb[row][column][c] = from->channel[c] + share * (to->channel[c] - from->channel[c]);
        }
}

/* Where a shape lies: its unit circle becomes an ellipse about `centre`, in pixels. */
struct placement {
    struct point centre, radius, turned;
};

/* The part of a pixel that the shape covers, from 4 x 4 samples. */
static double coverage(bool (*contains)(struct point), const struct placement *at, struct point pixel)
{
    int inside = 0;

    for (int i = 0; i < 16; i++) {
        struct point p = {pixel.x + (i % 4 - 1.5) / 4 - at->centre.x, pixel.y + (i / 4 - 1.5) / 4 - at->centre.y};

        p = turn(p, at->turned);
        inside += contains((struct point){p.x / at->radius.x, p.y / at->radius.y});
    }
    return inside / 16.0;
}

static void paint(struct canvas *canvas, bool (*contains)(struct point), const struct placement *at,
                  const struct colour *colour)
{
    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++) {
            double share = coverage(contains, at, centre_of(row, column));

            for (size_t c = 0; c < 3; c++)
                canvas->rgb[row][column][c] += share * (colour->channel[c] - canvas->rgb[row][column][c]);
        }
}

/* Pixels are independent, and small deviations likelier than large ones. */
static void add_noise(struct canvas *canvas, struct chance *chance, double amplitude)
{
    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++)
            for (size_t c = 0; c < 3; c++)
                canvas->rgb[row][column][c] += amplitude * (between(chance, -1, 1) + between(chance, -1, 1)) / 2;
}

static void store(const struct canvas *canvas, struct picture *picture)
{
    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++)
            for (size_t c = 0; c < 3; c++)
                picture->rgb[row][column][c] = (uint8_t)(fmin(fmax(canvas->rgb[row][column][c], 0), 255) + 0.5);
}

/* ---- one picture ---- */

/* Small discs and short bars that a network has to learn to ignore. */
static void paint_distractors(struct canvas *canvas, struct chance *chance)
{
    size_t n = next(chance) % 4;

    for (size_t i = 0; i < n; i++) {
        struct placement at = {.centre = about(chance, (struct point){0, 0}, PICTURE_SIDE / 2)};
        struct colour colour = any_colour(chance);

        at.radius.x = between(chance, 1, 4);
        at.radius.y = between(chance, 1, 2.5);
        at.turned = direction(chance);
        paint(canvas, in_disc, &at, &colour);
    }
}

/* In two of three pictures a bar crosses the shape. */
static void paint_occlusion(struct canvas *canvas, struct chance *chance, struct point centre)
{
    struct placement at = {.centre = about(chance, centre, 6)};
    struct colour colour = any_colour(chance);

    at.radius.x = 1; /* endless */
    at.radius.y = between(chance, 0.5, 2);
    at.turned = direction(chance);
    if (next(chance) % 3 > 0)
        paint(canvas, in_bar, &at, &colour);
}

void picture_draw(uint64_t seed, uint64_t index, size_t label, struct picture *picture)
{
    struct chance chance = {seed};
    struct canvas canvas;
    struct placement at;
    struct colour from, to, colour;

    chance.state = next(&chance) ^ index; /* far apart for neighbouring numbers: the mixing function is a bijection */
    chance.state = next(&chance);
    from = any_colour(&chance);
    to = any_colour(&chance);
    for (size_t c = 0; c < 3; c++) /* the middle of the background is what the shape has to stand out from */
        colour.channel[c] = (from.channel[c] + to.channel[c]) / 2;
    colour = other_colour(&chance, &colour, 150);

    at.centre = about(&chance, (struct point){0, 0}, 5);
    at.radius.x = between(&chance, 6, 12);
    at.radius.y = at.radius.x * between(&chance, 0.8, 1.25);
    at.turned = direction(&chance);

    paint_background(&canvas, &chance, &from, &to);
    paint_distractors(&canvas, &chance);
    paint(&canvas, shapes[label].contains, &at, &colour);
    paint_occlusion(&canvas, &chance, at.centre);
    add_noise(&canvas, &chance, between(&chance, 0, 50));
    store(&canvas, picture);
}
