/* contact_sheet.c — see contact_sheet.h. */
#include "worker/contact_sheet.h"

#include "common/memory.h"
#include "formats/record.h"

#include <stdlib.h>

enum { GAP = 4, SMALLEST = 96, LARGEST = 256, GROUND = 40 };

struct contact_sheet {
    size_t channels, height, width; /* of a tensor */
    size_t magnify, thin;           /* one of them is 1 */
    size_t tile_height, tile_width; /* in pixels */
    size_t columns, rows;
    size_t sheet_height, sheet_width;
    uint8_t *pixels; /* [sheet_height][sheet_width][3] */
};

static size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static void lay_out(struct contact_sheet *sheet, size_t n)
{
    size_t side = sheet->height > sheet->width ? sheet->height : sheet->width;

    sheet->magnify = side < SMALLEST ? divide_up(SMALLEST, side) : 1;
    sheet->thin = divide_up(side, LARGEST);
    sheet->tile_height = divide_up(sheet->height, sheet->thin) * sheet->magnify;
    sheet->tile_width = divide_up(sheet->width, sheet->thin) * sheet->magnify;
    for (sheet->columns = 1; sheet->columns * sheet->columns < n;)
        sheet->columns++;
    sheet->rows = divide_up(n, sheet->columns);
    sheet->sheet_height = sheet->rows * (sheet->tile_height + GAP) + GAP;
    sheet->sheet_width = sheet->columns * (sheet->tile_width + GAP) + GAP;
}

struct contact_sheet *contact_sheet_create(size_t n, size_t channels, size_t height, size_t width, struct error *err)
{
    struct contact_sheet *sheet = memory_create(1, sizeof *sheet, "a contact sheet", err);

    if (sheet == NULL)
        return NULL;
    sheet->channels = channels;
    sheet->height = height;
    sheet->width = width;
    lay_out(sheet, n);
    if (sheet->sheet_height > RECORD_MAX_PIXELS / sheet->sheet_width)
        error_set(err, EX_DATAERR, "%zu tiles of %zu x %zu make a sheet of more than %d pixels", n, sheet->tile_height,
                  sheet->tile_width, RECORD_MAX_PIXELS);
    else
        sheet->pixels = memory_create(sheet->sheet_height * sheet->sheet_width, 3, "a contact sheet", err);
    if (sheet->pixels == NULL) {
        free(sheet);
        return NULL;
    }
    for (size_t i = 0; i < sheet->sheet_height * sheet->sheet_width * 3; i++)
        sheet->pixels[i] = GROUND;
    return sheet;
}

void contact_sheet_destroy(struct contact_sheet *sheet)
{
    if (sheet != NULL)
        free(sheet->pixels);
    free(sheet);
}

/* A constant tile is gray. */
static uint8_t shade(float value, float min, float max)
{
    return max > min ? (uint8_t)(((double)value - min) / ((double)max - min) * 255 + 0.5) : 128;
}

void contact_sheet_draw(struct contact_sheet *sheet, size_t i, const float *x, float *min, float *max)
{
    size_t plane = sheet->height * sheet->width, n_colours = sheet->channels == 3 ? 3 : 1;
    size_t top = GAP + i / sheet->columns * (sheet->tile_height + GAP);
    size_t left = GAP + i % sheet->columns * (sheet->tile_width + GAP);

    *min = *max = x[0];
    for (size_t k = 0; k < sheet->channels * plane; k++) {
        *min = x[k] < *min ? x[k] : *min;
        *max = x[k] > *max ? x[k] : *max;
    }
    for (size_t v = 0; v < sheet->tile_height; v++)
        for (size_t u = 0; u < sheet->tile_width; u++) {
            uint8_t *pixel = sheet->pixels + ((top + v) * sheet->sheet_width + left + u) * 3;
            size_t from = v / sheet->magnify * sheet->thin * sheet->width + u / sheet->magnify * sheet->thin;

            for (size_t c = 0; c < 3; c++)
                pixel[c] = shade(x[c % n_colours * plane + from], *min, *max);
        }
}

struct image_pixels contact_sheet_pixels(const struct contact_sheet *sheet)
{
    return (struct image_pixels){sheet->pixels, 3, sheet->sheet_height, sheet->sheet_width, false};
}
