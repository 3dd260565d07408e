/* picture.c — see picture.h. */
#include "picture.h"

#include "shapes.h"

#include <math.h>

const char *picture_class(size_t label)
{
    return shape_name((enum shape_kind)label);
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
    struct point along = point_direction(chance);

    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++) {
            double share = 0.5 + point_turn(centre_of(row, column), along).x / (1.5 * PICTURE_SIDE);

            for (size_t c = 0; c < 3; c++)
                canvas->rgb[row][column][c] = from->channel[c] + share * (to->channel[c] - from->channel[c]);
        }
}

static void paint(struct canvas *canvas, enum shape_kind shape, const struct placement *at, const struct colour *colour)
{
    for (int row = 0; row < PICTURE_SIDE; row++)
        for (int column = 0; column < PICTURE_SIDE; column++) {
            double share = shape_coverage(shape, at, centre_of(row, column));

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
                canvas->rgb[row][column][c] +=
                    amplitude * (chance_between(chance, -1, 1) + chance_between(chance, -1, 1)) / 2;
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
    size_t n = chance_next(chance) % 4;

    for (size_t i = 0; i < n; i++) {
        struct placement at = {.centre = point_about(chance, (struct point){0, 0}, PICTURE_SIDE / 2)};
        struct colour colour = colour_any(chance);

        at.radius.x = chance_between(chance, 1, 4);
        at.radius.y = chance_between(chance, 1, 2.5);
        at.turned = point_direction(chance);
        paint(canvas, SHAPE_DISC, &at, &colour);
    }
}

/* In two of three pictures a bar crosses the shape. */
static void paint_occlusion(struct canvas *canvas, struct chance *chance, struct point centre)
{
    struct placement at = {.centre = point_about(chance, centre, 6)};
    struct colour colour = colour_any(chance);

    at.radius.x = 1; /* endless */
    at.radius.y = chance_between(chance, 0.5, 2);
    at.turned = point_direction(chance);
    if (chance_next(chance) % 3 > 0)
        paint(canvas, SHAPE_BAR, &at, &colour);
}

void picture_draw(uint64_t seed, uint64_t index, size_t label, struct picture *picture)
{
    struct chance chance = chance_begin(seed, index);
    struct canvas canvas;
    struct placement at;
    struct colour from, to, colour;

    from = colour_any(&chance);
    to = colour_any(&chance);
    for (size_t c = 0; c < 3; c++) /* the middle of the background is what the shape has to stand out from */
        colour.channel[c] = (from.channel[c] + to.channel[c]) / 2;
    colour = colour_other(&chance, &colour, 150);

    at.centre = point_about(&chance, (struct point){0, 0}, 5);
    at.radius.x = chance_between(&chance, 6, 12);
    at.radius.y = at.radius.x * chance_between(&chance, 0.8, 1.25);
    at.turned = point_direction(&chance);

    paint_background(&canvas, &chance, &from, &to);
    paint_distractors(&canvas, &chance);
    paint(&canvas, (enum shape_kind)label, &at, &colour);
    paint_occlusion(&canvas, &chance, at.centre);
    add_noise(&canvas, &chance, chance_between(&chance, 0, 50));
    store(&canvas, picture);
}
