/* mean_file.c — see mean_file.h. */
#include "formats/mean_file.h"

#include "common/bytes.h"
#include "formats/caffe/mean.h"

#include <math.h>

enum { MAX_FILE_BYTES = 1 << 30 }; /* a mean of 16 channels is as large as 4096 x 4096 pixels */

static int check_finite(const struct step_file *file, struct error *err)
{
    for (size_t i = 0, n = file->channels * file->height * file->width; i < n; i++)
        if (!isfinite(file->values[i]))
            return error_set(err, EX_DATAERR, "expected finite means, value %zu is %g", i, (double)file->values[i]);
    return 0;
}

int mean_file_read(struct step_file *file, struct arena *arena, struct error *err)
{
    struct bytes bytes = {0};
    int rc = 0;

    if (bytes_read(file->path, MAX_FILE_BYTES, &bytes, err) < 0)
        return -1;
    if (caffe_mean_parse(bytes.data, bytes.size, file, arena, err) < 0 || check_finite(file, err) < 0)
        rc = error_in(err, "%s", file->path);
    bytes_free(&bytes);
    return rc;
}
