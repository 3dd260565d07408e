/* make_images.c — `etalon-demo-images`: writes the demo's labelled pictures as JPEG files.
 *
 *     OUT/<split>/<class>/NNNN.jpg     32 x 32, quality 90, in colour
 *     OUT/<split>.txt                  "relative/path label" a line; the classes take turns, so any first part is fair
 *
 * and, where --scenes is given, pictures with a class for every pixel:
 *
 *     OUT/scenes/<split>/pictures/NNNN.jpg     480 x 480, quality 95, in colour
 *     OUT/scenes/<split>/labels/NNNN.png       480 x 480, 50 times the class; 255: none, an edge
 *
 * where <split> is train, calibration or evaluation. The same options give the same pictures on every machine.
 */
#include "picture.h"
#include "scene.h"

#include "common/error.h"
#include "formats/records/encode_image.h"
#include "jobs/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, MAX_PICTURES = 1000000, QUALITY = 90 };

/* ---- one file ---- */

static int write_bytes(const char *path, const struct encoded_image *image, struct error *err)
{
    FILE *file = fopen(path, "wb");
    bool failed;

    if (file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    failed = fwrite(image->bytes, 1, image->size, file) != image->size;
    return fclose(file) != 0 || failed ? error_set(err, EX_IOERR, "%s: cannot be written", path) : 0;
}

static int write_picture(const char *path, const struct picture *picture, struct encoded_image *file, struct error *err)
{
    const struct image_pixels pixels = {&picture->rgb[0][0][0], 3, PICTURE_SIDE, PICTURE_SIDE, false};

    return encode_jpeg_at(&pixels, QUALITY, file, err) != 0 ? -1 : write_bytes(path, file, err);
}

/* ---- one split ---- */

struct split {
    const char *name, *option; /* option: how many, as text */
    uint64_t n;
};

static int make_folder(const char *path, struct error *err)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST
               ? 0
               : error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", path, strerror(errno));
}

static int make_folders(const char *out, const char *split, struct error *err)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s/%s", out, split);
    if (make_folder(path, err) != 0)
        return -1;
    for (size_t label = 0; label < PICTURE_CLASSES; label++) {
        snprintf(path, sizeof path, "%s/%s/%s", out, split, picture_class(label));
        if (make_folder(path, err) != 0)
            return -1;
    }
    return 0;
}

static int write_pictures(const char *out, const struct split *split, uint64_t seed, FILE *list, struct error *err)
{
    struct encoded_image file = {0};
    struct picture picture;
    char path[PATH_BYTES];
    int rc = 0;

    for (uint64_t i = 0; rc == 0 && i < split->n; i++) {
        size_t label = (size_t)(i % PICTURE_CLASSES);
        int inside = snprintf(path, sizeof path, "%s/", out);

        snprintf(path + inside, sizeof path - (size_t)inside, "%s/%s/%04llu.jpg", split->name, picture_class(label),
                 (unsigned long long)(i / PICTURE_CLASSES));
        picture_draw(seed, i, label, &picture);
        rc = write_picture(path, &picture, &file, err);
        fprintf(list, "%s %zu\n", path + inside, label); /* fclose tells whether it was written */
    }
    free(file.bytes);
    return rc;
}

static int write_split(const char *out, const struct split *split, uint64_t seed, struct error *err)
{
    char path[PATH_BYTES];
    FILE *list;
    int rc;

    if (make_folders(out, split->name, err) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/%s.txt", out, split->name);
    list = fopen(path, "w");
    if (list == NULL)
        return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    rc = write_pictures(out, split, seed, list, err);
    if ((ferror(list) | fclose(list)) != 0 && rc == 0)
        rc = error_set(err, EX_IOERR, "%s: cannot be written", path);
    return rc;
}

/* ---- one split of scenes ---- */

static void name_scene(char path[PATH_BYTES], const char *out, const char *split, uint64_t number, const char *kind)
{
    snprintf(path, PATH_BYTES, "%s/scenes/%s/%s/%04llu.%s", out, split, kind, (unsigned long long)number,
             kind[0] == 'l' ? "png" : "jpg");
}

static int write_scene(const char *out, const char *split, uint64_t number, const struct scene *scene,
                       struct error *err)
{
    const struct image_pixels picture = {&scene->rgb[0][0][0], 3, SCENE_SIDE, SCENE_SIDE, false};
    const struct image_pixels labels = {&scene->labels[0][0], 1, SCENE_SIDE, SCENE_SIDE, false};
    struct encoded_image image = {0};
    char path[PATH_BYTES];
    int rc;

    name_scene(path, out, split, number, "pictures");
    rc = encode_jpeg(&picture, &image, err) != 0 || write_bytes(path, &image, err) != 0 ? -1 : 0;
    name_scene(path, out, split, number, "labels");
    if (rc == 0)
        rc = encode_png(&labels, &image, err) != 0 || write_bytes(path, &image, err) != 0 ? -1 : 0;
    free(image.bytes);
    return rc;
}

/* The folder is the data set: what an earlier call has left behind the last scene would be part of it. */
static void remove_scenes(const char *out, const char *split, uint64_t first)
{
    char picture[PATH_BYTES], labels[PATH_BYTES];

    for (bool is_there = true; is_there; first++) {
        name_scene(picture, out, split, first, "pictures");
        name_scene(labels, out, split, first, "labels");
        is_there = (unlink(picture) == 0) | (unlink(labels) == 0);
    }
}

static int write_scenes(const char *out, const struct split *split, uint64_t seed, struct error *err)
{
    static const char *const below[] = {"", "/pictures", "/labels"};
    struct scene *scene = malloc(sizeof *scene);
    char path[PATH_BYTES];
    int rc = scene == NULL ? error_set(err, EX_OSERR, "cannot allocate memory for a scene") : 0;

    snprintf(path, sizeof path, "%s/scenes", out);
    rc = rc == 0 ? make_folder(path, err) : rc;
    for (size_t i = 0; rc == 0 && i < sizeof below / sizeof *below; i++) {
        snprintf(path, sizeof path, "%s/scenes/%s%s", out, split->name, below[i]);
        rc = make_folder(path, err);
    }
    for (uint64_t i = 0; rc == 0 && i < split->n; i++) {
        scene_draw(seed, i, scene);
        rc = write_scene(out, split->name, i, scene, err);
    }
    if (rc == 0)
        remove_scenes(out, split->name, split->n);
    free(scene);
    return rc;
}

/* ---- command line ---- */

static int read_number(const char *option, const char *text, uint64_t max, uint64_t *value, struct error *err)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *value > max)
        return error_set(err, EX_USAGE, "--%s: expected a whole number up to %llu, found \"%s\"", option,
                         (unsigned long long)max, text);
    return 0;
}

static int run(int argc, char **argv, struct error *err)
{
    struct split splits[] = {{"train", "0", 0}, {"calibration", "1000", 0}, {"evaluation", "2000", 0}};
    const char *out = NULL, *seed_text = "1";
    uint64_t seed;
    bool wants_help = false, are_scenes = false;
    const struct option options[] = {
        {"out", 0, OPTION_TEXT, &out, "FOLDER", "where the pictures go; its parent must exist"},
        {"train", 0, OPTION_TEXT, &splits[0].option, "N", "pictures to train with (default 0)"},
        {"calibration", 0, OPTION_TEXT, &splits[1].option, "N", "pictures to calibrate with (default 1000)"},
        {"evaluation", 0, OPTION_TEXT, &splits[2].option, "N", "pictures to measure accuracy with (default 2000)"},
        {"scenes", 0, OPTION_FLAG, &are_scenes, NULL, "large ones with a class for every pixel instead"},
        {"seed", 0, OPTION_TEXT, &seed_text, "N", "another seed, other pictures (default 1)"},
        {0},
    };
    size_t n_words;

    if (options_read(argc, argv, options, NULL, 0, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help) {
        printf("usage: etalon-demo-images --out FOLDER [options]\n\nDraws labelled pictures of shapes.\n\n");
        options_print(options, stdout);
        return 0;
    }
    if (out == NULL)
        return error_set(err, EX_USAGE, "--out is missing");
    if (strlen(out) > PATH_BYTES - 64)
        return error_set(err, EX_USAGE, "--out: the path is too long");
    if (read_number("seed", seed_text, UINT64_MAX / 4, &seed, err) != 0 || make_folder(out, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (read_number(splits[i].name, splits[i].option, MAX_PICTURES, &splits[i].n, err) != 0 ||
            (splits[i].n > 0 && (are_scenes ? write_scenes : write_split)(out, &splits[i], 4 * seed + i, err) != 0))
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct error err = {0};

    if (run(argc, argv, &err) == 0)
        return 0;
    fprintf(stderr, "etalon-demo-images: %s\n", err.text);
    return err.code;
}
