/* build.c — `etalon dataset build`: images or tensors become a database of Datum, with the options of Caffe's
 * convert_imageset under their own names.
 */
#include "coordinator/dataset_build.h"
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include <string.h>

struct build_words {
    struct dataset_source source; /* its list is the second word of the command */
    const char *height, *width, *seed, *max_bad;
};

static int read_numbers(const struct build_words *words, struct dataset_build_options *build, struct error *err)
{
    uint64_t rows = 0, columns = 0;

    if (dataset_number("resize_height", words->height, &rows, err) != 0 ||
        dataset_number("resize_width", words->width, &columns, err) != 0 ||
        dataset_number("seed", words->seed, &build->seed, err) != 0 ||
        dataset_number("max_bad_records", words->max_bad, &build->max_bad_records, err) != 0)
        return -1;
    build->encode.resize_height = (size_t)rows;
    build->encode.resize_width = (size_t)columns;
    return 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct dataset_build_options build = {.database = "lmdb"};
    struct build_words text = {0};
    const char *words[3];
    bool wants_help = false;
    size_t n_words;
    const struct option options[] = {
        {"backend", 0, OPTION_TEXT, &build.database, "KIND", "lmdb (default) or leveldb"},
        {"check_size", 0, OPTION_FLAG, &build.is_size_checked, NULL, "every image must have the first one's size"},
        {"encode_type", 0, OPTION_TEXT, &build.encode.encode_type, "TYPE", "store image files of this type: png, jpg"},
        {"encoded", 0, OPTION_FLAG, &build.encode.is_encoded, NULL, "store image files, of the type that each is"},
        {"gray", 0, OPTION_FLAG, &build.encode.is_gray, NULL, "one channel"},
        {"resize_height", 0, OPTION_TEXT, &text.height, "N", "rows; needs --resize_width"},
        {"resize_width", 0, OPTION_TEXT, &text.width, "N", "columns"},
        {"shuffle", 0, OPTION_FLAG, &build.is_shuffled, NULL, "in an order that the seed decides"},
        {"seed", 0, OPTION_TEXT, &text.seed, "N", "of the shuffle (default 0)"},
        {"kind", 0, OPTION_TEXT, &text.source.kind, "KIND",
         "of the dataset that is read; else told by what lies there"},
        DATASET_ARRAY_OPTIONS(&text.source),
        {"limit", 0, OPTION_TEXT, &text.source.limit, "N", "the first N records only"},
        {"max_bad_records", 0, OPTION_TEXT, &text.max_bad, "N", "records that may be unreadable (default 0)"},
        {0},
    };

    if (options_read(argc, argv, options, words, 3, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "dataset build FOLDER LIST OUTPUT [options]",
                         "Writes a database of Caffe Datum messages from images (or, with --kind, other records).\n"
                         "LIST holds \"path label\" a line; \"-\" takes every image of FOLDER, sorted, without\n"
                         "labels. Under mpirun all ranks decode; the result is the same for any number.\n\n"
                         "Example: mpirun -n 8 etalon dataset build imagenet/val/ val.txt val_lmdb \\\n"
                         "             --resize_height 256 --resize_width 256\n",
                         options);
    if (n_words != 3)
        return error_set(err, EX_USAGE, "dataset build needs FOLDER, LIST (or -) and OUTPUT");
    text.source.list = strcmp(words[1], "-") == 0 ? NULL : words[1];
    if (text.source.list != NULL && text.source.kind == NULL)
        text.source.kind = "images"; /* only they have lists */
    build.encode.folder = words[0];
    build.output = words[2];
    return dataset_source_request(&text.source, words[0], &build.source, err) != 0 ||
                   read_numbers(&text, &build, err) != 0
               ? -1
               : dataset_build(comm, &build, err);
}

const struct dataset_verb dataset_verb_build = {"build", true, run};
