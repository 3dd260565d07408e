/* mean_file.c — see mean_file.h. */
#include "formats/mean_file.h"

#include "common/bytes.h"
#include "formats/caffe/mean.h"
#include "formats/records/npy.h"

#include <math.h>

enum { MAX_FILE_BYTES = 1 << 30 }; /* a mean of 16 channels is as large as 4096 x 4096 pixels */

static int take_record(const struct record *record, struct step_file *file, struct arena *arena, struct error *err)
{
    size_t n = record->channels * record->height * record->width;
    float *values = arena_create_array(arena, n, sizeof *values, err);

    if (values == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        values[i] = record->is_float ? record->values[i] : record->bytes[i];
    file->channels = record->channels;
    file->height = record->height;
    file->width = record->width;
    file->values = values;
    return 0;
}

/* The dims in front of the last two are channels: a fourth, of 1, changes nothing. */
static int parse_npy(const struct bytes *bytes, struct step_file *file, struct arena *arena, struct error *err)
{
    static const struct dataset_request as_it_is;
    size_t n_head = bytes->size < ARRAY_HEAD_BYTES ? bytes->size : ARRAY_HEAD_BYTES;
    struct record record = {0};
    char text[SHAPE_TEXT_BYTES];
    const struct shape *shape;
    struct array array;
    int rc;

    if (npy_describe(&as_it_is, bytes->data, n_head, bytes->size, &array, err) < 0)
        return -1;
    shape = &array.elements.shape;
    if (shape->rank == 0 || shape->rank > 4 || (shape->rank == 4 && shape->dims[0] != 1))
        return error_set(err, EX_DATAERR, "expected one mean picture of 1 to 4 dims, found %s",
                         shape_text(shape, text));
    rc = elements_to_record(&array.elements, &as_it_is, bytes->data + array.offset, bytes->size - (size_t)array.offset,
                            &record, err);
    if (rc == 0)
        rc = take_record(&record, file, arena, err);
    record_fini(&record);
    return rc;
}

static int parse(const struct bytes *bytes, struct step_file *file, struct arena *arena, struct error *err)
{
    return npy_is_name(file->path) ? parse_npy(bytes, file, arena, err)
                                   : caffe_mean_parse(bytes->data, bytes->size, file, arena, err);
}

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
    if (parse(&bytes, file, arena, err) < 0 || check_finite(file, err) < 0)
        rc = error_in(err, "%s", file->path);
    bytes_free(&bytes);
    return rc;
}
