/* fuzz_image_list.c — lists of images with labels. */
#include "fuzz.h"

#include "formats/records/image_list.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct image_list list = {0};
    int rc = image_list_read(&list, fuzz_file("list.txt", data, size), 0, err);

    image_list_fini(&list);
    return rc;
}
