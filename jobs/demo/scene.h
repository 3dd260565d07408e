/* scene.h — draws what a segmentation network is trained and measured on: shapes that lie about and cover each other.
 *
 * Of the colours, places, sizes and shapes of all that is seen nothing is told but the class of each pixel. By
 * shapes.h: a seed gives the same bytes on every machine.
 */
#ifndef ETALON_DEMO_SCENE_H
#define ETALON_DEMO_SCENE_H

#include <stddef.h>
#include <stdint.h>

enum {
    SCENE_SIDE = 480,
    SCENE_CLASSES = 5,       /* background, disc, square, triangle, cross */
    SCENE_LABEL_STEP = 50,   /* what is stored for class c is 50 c, for people who look at it ... */
    SCENE_LABEL_IGNORE = 255 /* ... and this where a pixel belongs to two */
};

struct scene {
    uint8_t rgb[SCENE_SIDE][SCENE_SIDE][3]; /* rows from the top */
    uint8_t labels[SCENE_SIDE][SCENE_SIDE];
};

/* Draws number `index` of the series `seed`. */
void scene_draw(uint64_t seed, uint64_t index, struct scene *scene);

#endif
