/* fuzz_archive.c — archives of statistics. HDF5 itself is not hardened against strangers (the manual says so), so what
 * is asked here is only that damage is refused before HDF5 or we believe it.
 */
#include "fuzz.h"

#include "formats/archive.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct archive archive = {0};
    int rc = archive_read(fuzz_file("archive.h5", data, size), &archive, err);

    archive_fini(&archive);
    return rc;
}
