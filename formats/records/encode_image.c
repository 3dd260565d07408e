/* encode_image.c — the image formats that are written; see encode_image.h. */
#include "formats/records/encode_image.h"

#include <strings.h>

static const struct image_encoder encoders[] = {{"png", encode_png}, {"jpg", encode_jpeg}, {"jpeg", encode_jpeg}};

const struct image_encoder *image_encoder_find(const char *extension)
{
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
        if (strcasecmp(encoders[i].name, extension) == 0)
            return &encoders[i];
    return NULL;
}
