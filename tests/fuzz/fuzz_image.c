/* fuzz_image.c — JPEG, PNG, BMP, PGM and PPM: the first bytes decide. */
#include "fuzz.h"

#include "formats/records/decode_image.h"

#include <stdlib.h>

/* image_wish.find: most of the image, where it begins by the file's last bytes. */
static struct rectangle find_part(const void *context, size_t height, size_t width)
{
    const uint8_t *end = context;
    size_t top = end[-1] % height, left = end[-2] % width;

    return (struct rectangle){top, left, height - top - end[-3] % (height - top),
                              width - left - end[-4] % (width - left)};
}

/* Whole and in part: the verdict is the same. */
int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    const struct image_wish wish = {.find = find_part, .context = data + size};
    struct record record = {0};
    int rc = decode_image(data, size, &record, err);

    record.wish = &wish;
    if (size >= 4 && decode_image(data, size, &record, NULL) != rc)
        abort();

    record_fini(&record);
    return rc;
}
