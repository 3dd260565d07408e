/* fuzz_tar.c — tar files of samples. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct dataset_request request = {.kind = "tar", .path = fuzz_file("samples.tar", data, size)};

    return fuzz_dataset(&request, err);
}
