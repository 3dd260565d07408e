/* class_map.c — see class_map.h. */
#include "worker/class_map.h"

void class_map_init(struct class_map *map)
{
    *map = (struct class_map){0};
    for (size_t i = 0; i < CLASS_MAP_VALUES; i++)
        map->of[i] = (int16_t)i;
}

static int class_of(const struct class_map *map, float raw)
{
    int class = CLASS_UNKNOWN;

    if (raw >= 0 && raw < CLASS_MAP_VALUES && raw == (float)(int)raw)
        class = map->of[(int)raw];
    return class < (int)map->n_classes ? class : CLASS_UNKNOWN;
}

int class_map_apply(const struct class_map *map, float *x, size_t n, size_t width, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        int class = class_of(map, x[i]);

        if (class == CLASS_UNKNOWN)
            return error_set(err, EX_DATAERR,
                             "the label %g in row %zu, column %zu is none of the %zu classes, nor is it ignored",
                             (double)x[i], i / width, i % width, map->n_classes);
        x[i] = (float)class;
    }
    return 0;
}
