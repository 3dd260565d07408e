/* fuzz_txt.c — records as decimals. */
#include "fuzz.h"

#include "formats/records/text_numbers.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct dataset_request request = {.shape = {1, {4}}};
    struct record record = {0};
    int rc = text_numbers_decode(&request, data, size, &record, err);

    record_fini(&record);
    return rc;
}
