/* fuzz_image.c — JPEG, PNG, BMP, PGM and PPM: the first bytes decide. */
#include "fuzz.h"

#include "formats/records/decode_image.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct record record = {0};
    int rc = decode_image(data, size, &record, err);

    record_fini(&record);
    return rc;
}
