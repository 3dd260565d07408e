/* fuzz_npy.c — NumPy arrays, as a file of records and as a record. */
#include "fuzz.h"

#include "formats/records/npy.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct dataset_request request = {.kind = "npy", .path = fuzz_file("records.npy", data, size)};
    struct record record = {0};
    struct error why = {0};

    (void)npy_decode(&request, data, size, &record, &why);
    record_fini(&record);
    return fuzz_dataset(&request, err);
}
