/* picture.h — draws the demo's pictures: one of ten shapes, in the way of much that has nothing to do with its class.
 *
 * Colours, position, size, rotation, background, distractors, an occluding bar and noise are random, by shapes.h: a
 * seed gives the same bytes on every machine.
 */
#ifndef ETALON_DEMO_PICTURE_H
#define ETALON_DEMO_PICTURE_H

#include <stddef.h>
#include <stdint.h>

enum { PICTURE_SIDE = 32, PICTURE_CLASSES = 10 };

struct picture {
    uint8_t rgb[PICTURE_SIDE][PICTURE_SIDE][3]; /* rows from the top */
};

/* The name of class 0 <= label < PICTURE_CLASSES, e.g. "ring"; a constant. */
const char *picture_class(size_t label);

/* Draws number `index` of the series `seed`, of class 0 <= label < PICTURE_CLASSES. A picture depends on these three
 * alone: a longer series begins with the shorter one. */
void picture_draw(uint64_t seed, uint64_t index, size_t label, struct picture *picture);

#endif
