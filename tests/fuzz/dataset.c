/* dataset.c — a dataset whose file is the fuzzed input; see fuzz.h. */
#include "fuzz.h"

int fuzz_dataset(const struct dataset_request *request, struct error *err)
{
    struct dataset *dataset = dataset_open(request, err);
    struct dataset_cursor *cursor = dataset == NULL ? NULL : dataset_cursor_open(dataset, err);
    uint64_t n = cursor == NULL ? 0 : dataset_count(dataset);
    struct record record = {0};
    int rc = cursor == NULL ? -1 : 0;

    /* The first, the last and some between: a file of empty records may claim very many. */
    for (uint64_t i = 0; rc == 0 && i < n; i = i + 1 < n && i >= 8 ? n - 1 : i + 1)
        rc = dataset_read(cursor, i, &record, err);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    return rc;
}
