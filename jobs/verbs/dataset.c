/* dataset.c — `etalon dataset build`: images become an LMDB of Datum, with the options of Caffe's convert_imageset
 * under their own names.
 */
#include "jobs/verb.h"
#include "worker/dataset_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A whole number option; NULL leaves *value alone. */
static int read_number(const char *option, const char *text, uint64_t *value, struct error *err)
{
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return error_set(err, EX_USAGE, "--%s: expected a whole number, found \"%s\"", option, text);
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct dataset_build_options build = {0};
    const char *backend = "lmdb", *height = NULL, *width = NULL, *seed = NULL, *limit = NULL, *max_bad = NULL;
    const char *words[4];
    bool wants_help = false;
    size_t n_words;
    uint64_t rows = 0, columns = 0;
    const struct option options[] = {
        {"backend", 0, OPTION_TEXT, &backend, "lmdb", "kind of database"},
        {"check_size", 0, OPTION_FLAG, &build.is_size_checked, NULL, "every image must have the first one's size"},
        {"encoded", 0, OPTION_FLAG, &build.is_encoded, NULL, "store the files themselves, not pixels"},
        {"gray", 0, OPTION_FLAG, &build.is_gray, NULL, "one channel"},
        {"resize_height", 0, OPTION_TEXT, &height, "N", "rows; needs --resize_width"},
        {"resize_width", 0, OPTION_TEXT, &width, "N", "columns"},
        {"shuffle", 0, OPTION_FLAG, &build.is_shuffled, NULL, "in an order that the seed decides"},
        {"seed", 0, OPTION_TEXT, &seed, "N", "of the shuffle (default 0)"},
        {"limit", 0, OPTION_TEXT, &limit, "N", "the first N images only"},
        {"max_bad_records", 0, OPTION_TEXT, &max_bad, "N", "images that may be unreadable (default 0)"},
        {0},
    };

    (void)comm;
    if (options_read(argc, argv, options, words, 4, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(
            "dataset build FOLDER LIST OUTPUT [options]",
            "Writes an LMDB of Caffe Datum messages from images. LIST holds \"path label\" a line; \"-\" takes\n"
            "every image of FOLDER, sorted, without labels.\n\n"
            "Example: etalon dataset build imagenet/val val.txt val_lmdb --resize_height 256 --resize_width 256\n",
            options);
    if (n_words == 0 || strcmp(words[0], "build") != 0)
        return error_set(err, EX_USAGE, "dataset: expected \"build\", found \"%s\"",
                         n_words == 0 ? "nothing" : words[0]);
    if (n_words != 4)
        return error_set(err, EX_USAGE, "dataset build needs FOLDER, LIST (or -) and OUTPUT");
    if (strcmp(backend, "lmdb") != 0)
        return error_set(err, EX_UNAVAILABLE, "dataset build: backend \"%s\" is not in this version; lmdb is", backend);
    if (read_number("resize_height", height, &rows, err) != 0 ||
        read_number("resize_width", width, &columns, err) != 0 || read_number("seed", seed, &build.seed, err) != 0 ||
        read_number("limit", limit, &build.limit, err) != 0 ||
        read_number("max_bad_records", max_bad, &build.max_bad_records, err) != 0)
        return -1;
    build.folder = words[1];
    build.list = strcmp(words[2], "-") == 0 ? NULL : words[2];
    build.output = words[3];
    build.resize_height = (size_t)rows;
    build.resize_width = (size_t)columns;
    return dataset_build(&build, err);
}

const struct verb verb_dataset = {"dataset", "make calibration sets", false, run};
