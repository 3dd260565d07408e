/* fuzz_datum.c — Caffe's Datum messages. */
#include "fuzz.h"

#include "formats/records/datum.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct record record = {0};
    int rc = datum_to_record(data, size, &record, err);

    record_fini(&record);
    return rc;
}
