/* fuzz_idx.c — IDX files. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct dataset_request request = {.kind = "idx", .path = fuzz_file("records.idx", data, size)};

    return fuzz_dataset(&request, err);
}
