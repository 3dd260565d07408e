/* images.c — a folder of image files as a dataset, in the order of a list or sorted.
 */
#include "formats/record.h"

#include "formats/records/decode_image.h"
#include "formats/records/folder.h"
#include "formats/records/orientation.h"

static int decode(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
                  struct error *err)
{
    return request->is_oriented ? orientation_decode(data, size, record, err) : decode_image(data, size, record, err);
}

static const struct folder_format format = {
    .is_mine = decode_image_is_name,
    .max_bytes = (size_t)1 << 29, /* the largest image we decode, uncompressed */
    .decode = decode,
};

static int images_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    return folder_kind_open(&format, request, state, n_records, err);
}

const struct record_kind record_kind_images = {
    .name = "images",
    .summary = "image files (JPEG, PNG, BMP, PGM, PPM) of a folder, in the order of a list or sorted",
    .takes = DATASET_LIST | DATASET_ORIENTATION,
    .open = images_open,
    .close = folder_kind_close,
    .cursor_open = folder_kind_cursor_open,
    .cursor_close = folder_kind_cursor_close,
    .read = folder_kind_read,
    .read_key = folder_kind_read_key,
};
