/* fuzz_mean_file.c — mean pictures: .npy, and Caffe's BlobProto. */
#include "fuzz.h"

#include "common/memory.h"
#include "formats/mean_file.h"
#include "formats/records/npy.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct step_file file = {.path = fuzz_file(npy_is(data, size) ? "mean.npy" : "mean.binaryproto", data, size)};
    struct arena *arena = arena_create(err);
    int rc = arena == NULL ? -1 : mean_file_read(&file, arena, err);

    arena_destroy(arena);
    return rc;
}
