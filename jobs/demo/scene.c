/* scene.c — see scene.h. */
#include "scene.h"

#include "shapes.h"

#include <math.h>

/* Neither shape nor colour alone tells a class: colours are so far from these that they overlap. */
static const struct scene_class {
    enum shape_kind shape;
    struct colour colour;
} classes[SCENE_CLASSES] = {
    {.colour = {{128, 128, 128}}}, /* the background is no shape */
    {SHAPE_DISC, {{200, 60, 60}}},     {SHAPE_SQUARE, {{60, 180, 80}}},
    {SHAPE_TRIANGLE, {{70, 90, 210}}}, {SHAPE_CROSS, {{200, 180, 60}}},
};
enum { COLOUR_REACH = 60 };

static struct colour colour_of(struct chance *chance, size_t class)
{
    struct colour colour = classes[class].colour;

    for (size_t c = 0; c < 3; c++)
        colour.channel[c] = fmin(fmax(colour.channel[c] + chance_between(chance, -COLOUR_REACH, COLOUR_REACH), 0), 255);
    return colour;
}

static struct point centre_of(int row, int column)
{
    return (struct point){column + 0.5, row + 0.5};
}

static void mix(uint8_t rgb[3], double share, const struct colour *colour)
{
    for (size_t c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((1 - share) * rgb[c] + share * colour->channel[c] + 0.5);
}

/* From one colour to another along a random direction. */
static void paint_background(struct scene *scene, struct chance *chance)
{
    struct colour from = colour_of(chance, 0), to = colour_of(chance, 0);
    struct point along = point_direction(chance);

    for (int row = 0; row < SCENE_SIDE; row++)
        for (int column = 0; column < SCENE_SIDE; column++) {
            struct point p = {column + 0.5 - SCENE_SIDE / 2, row + 0.5 - SCENE_SIDE / 2};
            double share = fmin(fmax(0.5 + point_turn(p, along).x / (1.5 * SCENE_SIDE), 0), 1);

            mix(scene->rgb[row][column], 1, &from);
            mix(scene->rgb[row][column], share, &to);
            scene->labels[row][column] = 0;
        }
}

/* Rows or columns that a shape of `reach` pixels about `centre` may touch. */
static void find_extent(double centre, double reach, int *first, int *end)
{
    *first = (int)fmin(fmax(centre - reach, 0), SCENE_SIDE);
    *end = (int)fmin(fmax(centre + reach + 1, 0), SCENE_SIDE);
}

/* Covers what was there. A pixel that a shape covers in part belongs to nobody. */
static void paint(struct scene *scene, enum shape_kind shape, const struct placement *at, const struct colour *colour,
                  uint8_t label)
{
    double reach = 1.3 * fmax(at->radius.x, at->radius.y);
    int top, bottom, left, right;

    find_extent(at->centre.y, reach, &top, &bottom);
    find_extent(at->centre.x, reach, &left, &right);
    for (int row = top; row < bottom; row++)
        for (int column = left; column < right; column++) {
            double share = shape_coverage(shape, at, centre_of(row, column));

            if (share > 0)
                scene->labels[row][column] = share < 1 ? SCENE_LABEL_IGNORE : label;
            mix(scene->rgb[row][column], share, colour);
        }
}

static void paint_object(struct scene *scene, struct chance *chance)
{
    size_t class = 1 + chance_next(chance) % (SCENE_CLASSES - 1);
    struct placement at = {.centre = point_about(chance, (struct point){SCENE_SIDE / 2, SCENE_SIDE / 2}, 210)};
    struct colour colour = colour_of(chance, class);

    at.radius.x = chance_between(chance, 30, 80);
    at.radius.y = at.radius.x * chance_between(chance, 0.8, 1.25);
    at.turned = point_direction(chance);
    paint(scene, classes[class].shape, &at, &colour, (uint8_t)(class * SCENE_LABEL_STEP));
}

/* Pixels are independent, and small deviations likelier than large ones. */
static void add_noise(struct scene *scene, struct chance *chance, double amplitude)
{
    for (size_t row = 0; row < SCENE_SIDE; row++)
        for (size_t column = 0; column < SCENE_SIDE; column++)
            for (size_t c = 0; c < 3; c++) {
                double noise = (chance_between(chance, -1, 1) + chance_between(chance, -1, 1)) / 2;
                double value = scene->rgb[row][column][c] + amplitude * noise;

                scene->rgb[row][column][c] = (uint8_t)(fmin(fmax(value, 0), 255) + 0.5);
            }
}

void scene_draw(uint64_t seed, uint64_t index, struct scene *scene)
{
    struct chance chance = chance_begin(seed, index);
    size_t n = 4 + chance_next(&chance) % 7;

    paint_background(scene, &chance);
    for (size_t i = 0; i < n; i++)
        paint_object(scene, &chance);
    add_noise(scene, &chance, chance_between(&chance, 0, 40));
}
