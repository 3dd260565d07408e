/* dataset_build.h — makes an LMDB of Caffe Datum messages from image files, as Caffe's convert_imageset does.
 *
 * Keys are "%08d_<path>": the position in the list (after shuffling) and the path as it stands there. Values are raw
 * planes (uint8, CHW, B G R order, or gray) or, with is_encoded, the files themselves. Resizing is the two-tap filter
 * of OpenCV (opencv_linear), which that tool used. Decoding is ours: RGB to gray is PIL's luma, where OpenCV takes the
 * Y channel of a JPEG as it is.
 */
#ifndef ETALON_DATASET_BUILD_H
#define ETALON_DATASET_BUILD_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dataset_build_options {
    const char *folder; /* of the images */
    const char *list;   /* "path label" a line; NULL: every image file of the folder, sorted, labels -1 */
    const char *output; /* the LMDB's folder; must not exist; appears when complete */
    uint64_t limit;     /* first N images (before shuffling); 0 = all */
    size_t resize_height, resize_width; /* both or neither; 0: as the files are */
    bool is_gray;                       /* one channel; else three, gray images replicated */
    bool is_encoded;                    /* copies of the files instead of pixels; neither resize nor gray */
    bool is_shuffled;
    uint64_t seed;            /* of the shuffle: the same seed gives the same order everywhere */
    bool is_size_checked;     /* every image must have the first one's size */
    uint64_t max_bad_records; /* images that may be left out, each with a warning; their numbers stay unused */
};

/* Logs one info line with the counts. EX_CONFIG: options that exclude each other; EX_NOINPUT; EX_DATAERR: more bad
 * images than allowed (named), none at all, or more than 10^8 (keys would no longer be in order); EX_CANTCREAT: output
 * exists or cannot be created; EX_IOERR. On failure nothing is left behind. */
int dataset_build(const struct dataset_build_options *options, struct error *err);

#endif
