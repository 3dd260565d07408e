/* cascade.c — an example for libetalon: the second stage of a cascade is calibrated on what the first one finds.
 *
 *     cc cascade.c $(pkg-config --cflags --libs etalon) -o cascade
 *     ./cascade stage2_lmdb 100           # then: dataset: {kind: lmdb, path: stage2_lmdb}
 *     ./cascade stage2 100 with-box       # two inputs, "crop" and "box": dataset.inputs
 *
 * Stage one here is a detector that needs no network, windows of high contrast; yours would run its own inference. For
 * every picture it proposes windows, and each becomes one record: 3 x 24 x 24 values in 0..1 and, on request, where the
 * window lies and its score.
 */
#include <etalon/dataset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 96, CROP = 24, STEP = 8, PROPOSALS = 2 };

struct picture {
    float pixels[3][SIDE][SIDE]; /* 0..1 */
};

struct proposal {
    int x, y;
    float score;
};

/* A picture of a bright, textured square on a dark ground; yours would come from a camera. */
static void draw(struct picture *picture, unsigned number)
{
    unsigned random = number * 2654435761u + 1;
    int left = (int)(random >> 8) % (SIDE - CROP), top = (int)(random >> 20) % (SIDE - CROP);

    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int is_inside = x >= left && x < left + CROP && y >= top && y < top + CROP;

                random = random * 1664525u + 1013904223u;
                picture->pixels[c][y][x] = (float)(random >> 24) / 255.0f * (is_inside ? 1.0f : 0.2f);
            }
}

/* Stage one: how much the green pixels of a window differ from their mean. */
static float contrast(const struct picture *picture, int left, int top)
{
    double sum = 0, squares = 0;

    for (int y = top; y < top + CROP; y++)
        for (int x = left; x < left + CROP; x++) {
            double pixel = picture->pixels[1][y][x];

            sum += pixel;
            squares += pixel * pixel;
        }
    return (float)(squares / (CROP * CROP) - sum / (CROP * CROP) * (sum / (CROP * CROP)));
}

/* The best windows, best first. */
static void propose(const struct picture *picture, struct proposal best[PROPOSALS])
{
    memset(best, 0, PROPOSALS * sizeof *best);
    for (int y = 0; y + CROP <= SIDE; y += STEP)
        for (int x = 0; x + CROP <= SIDE; x += STEP) {
            struct proposal here = {x, y, contrast(picture, x, y)};

            for (int i = 0; i < PROPOSALS; i++)
                if (here.score > best[i].score) {
                    struct proposal weaker = best[i];

                    best[i] = here;
                    here = weaker;
                }
        }
}

static int add(struct etalon_dataset *set, const struct picture *picture, const struct proposal *proposal,
               const char *name, int with_box, struct etalon_error *error)
{
    float crop[3][CROP][CROP];
    float box[3] = {(float)proposal->x / SIDE, (float)proposal->y / SIDE, proposal->score};
    struct etalon_tensor tensors[] = {{"crop", &crop[0][0][0], 3, {3, CROP, CROP}}, {"box", box, 1, {3}}};

    for (int c = 0; c < 3; c++)
        for (int y = 0; y < CROP; y++)
            memcpy(crop[c][y], &picture->pixels[c][proposal->y + y][proposal->x], sizeof crop[c][y]);
    return etalon_dataset_append(set, name, -1, tensors, with_box ? 2 : 1, error);
}

int main(int argc, char **argv)
{
    static struct picture picture;
    struct proposal proposals[PROPOSALS];
    struct etalon_error error;
    struct etalon_dataset *set;
    int n = argc < 3 ? 0 : atoi(argv[2]), rc = 0;

    if (n <= 0) {
        fprintf(stderr, "usage: cascade OUTPUT PICTURES [with-box]\n");
        return 64;
    }
    set = etalon_dataset_create(argv[1], &error);
    if (set == NULL) {
        fprintf(stderr, "cascade: %s\n", error.text);
        return error.code;
    }
    for (int i = 0; rc == 0 && i < n; i++) {
        draw(&picture, (unsigned)i);
        propose(&picture, proposals);
        for (int k = 0; rc == 0 && k < PROPOSALS; k++) {
            char name[64];

            snprintf(name, sizeof name, "picture%d_window%d", i, k);
            rc = add(set, &picture, &proposals[k], name, argc > 3, &error);
        }
    }
    if (rc == 0)
        rc = etalon_dataset_commit(set, &error);
    else
        etalon_dataset_cancel(set);
    if (rc == 0)
        return 0;
    fprintf(stderr, "cascade: %s\n", error.text);
    return error.code;
}
