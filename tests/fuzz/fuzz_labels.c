/* fuzz_labels.c — files of labels: text, .npy and IDX. */
#include "fuzz.h"

#include "formats/records/labels.h"

#include <stdlib.h>

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    int32_t *labels = NULL;
    int rc = labels_read(fuzz_file("labels", data, size), 3, &labels, err);

    free(labels);
    return rc;
}
