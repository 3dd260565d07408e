/* archive.h — archive.h5: the merged statistics, the decisions and the per-layer metrics of one run.
 *
 * Layout in jobs/doc/archive.md. Written with the v110 file format, every array chunked with fletcher32, no object
 * times, no variable-length strings, so equal content gives equal bytes; read back before it gets its name.
 */
#ifndef ETALON_ARCHIVE_H
#define ETALON_ARCHIVE_H

#include "common/exact_sum.h"
#include "common/histogram.h"
#include "common/output.h"
#include "formats/record.h"

enum {
    ARCHIVE_VERSION = 3,
    /* What is written where nothing asks for more (is_equalized_apart does), for the sake of older programs. */
    ARCHIVE_USUAL_VERSION = 2,
    ARCHIVE_NAME_BYTES = 256,
    ARCHIVE_METHOD_BYTES = 24,
    ARCHIVE_PARTS = 8,
    ARCHIVE_RANGE_BINS = 2048,
};

struct archive_extrema { /* over records without NaN or infinities */
    uint64_t records, elements;
    struct exact_sum smallest, largest; /* of each record, normalised */
};

struct archive_value {
    char name[ARCHIVE_NAME_BYTES];  /* longer names are cut; the index is the identity */
    struct histogram histogram;     /* per tensor */
    size_t channels;                /* 0: no per-channel statistics */
    struct histogram *per_channel;  /* [channels] */
    size_t n_sums;                  /* 0: none kept; else channels along axis 1 */
    struct exact_sum *sums;         /* [n_sums], normalised: sums of the activation over records and pixels */
    struct archive_extrema extrema; /* where archive.extras has them */
    uint64_t n_top_two;             /* 0, or 2: the second largest output of records, and its gap to the largest */
    struct histogram *top_two;      /* [n_top_two] */
    uint64_t n_squares;             /* 0: none kept; else channels along axis 1 */
    struct exact_sum *squares;      /* [n_squares], normalised */
    uint64_t n_ranges;              /* 0: no second pass; else 1, or channels */
    uint64_t *range_counts;         /* [n_ranges][ARCHIVE_RANGE_BINS] magnitudes in bins of max |x| / 2048 */
};

struct archive_decision {   /* one value on one target */
    uint32_t value;         /* index into values */
    float threshold, scale; /* the largest, where channels have their own */
    int32_t zero_point, lo, hi;
    char method[ARCHIVE_METHOD_BYTES];
    double sqnr_db, cosine; /* NaN when not evaluated */
    uint64_t clipped, elements;
};

struct archive_channel { /* one channel of a decided value that has a scale per channel */
    uint32_t decision;   /* index into decisions */
    float threshold, scale;
};

struct archive_layer { /* one node with coded weights: codes follow from the scales, codes of biases from both */
    char name[ARCHIVE_NAME_BYTES];
    uint64_t n_scales, n_biases;
    char method[ARCHIVE_METHOD_BYTES];
    double weight_mse, weight_mse_max_abs;
};

struct archive_equalized { /* one channel of a value that was divided by 2^exponent before statistics were taken */
    uint32_t value;        /* index into values */
    int32_t exponent;
    uint32_t beside; /* is_equalized_apart: `value` was not, its statistics after division are those of this one */
};

struct archive_target {
    char name[ARCHIVE_NAME_BYTES];
    char fingerprint[65]; /* of what these decisions depend on */
    size_t n_decisions;
    struct archive_decision *decisions;
    size_t n_channels;                /* 0 where every value has one scale */
    struct archive_channel *channels; /* by decision, all channels of one in order; NULL where there are none */
    size_t n_layers;
    struct archive_layer *layers; /* in execution order */
    size_t n_weight_scales, n_biases;
    float *weight_scales, *biases; /* of all layers, one after the other */
    size_t n_codes;                /* 0: codes are the nearest to their weights */
    uint8_t *codes;                /* else 128 + code of all weights, layer after layer; NULL where there are none */
};

struct archive_part { /* of the blocks that were counted */
    uint64_t n_blocks, n_records;
};

struct archive_shard { /* one of the files that hold a checkpoint's statistics, in the order of their values */
    uint64_t n_values;
    char content_sha256[SHA256_HEX_BYTES];
};

struct archive_bad_record {
    uint64_t ordinal;
    char reason[ARCHIVE_NAME_BYTES];
};

struct archive {
    uint32_t version; /* as it was read; what is written is of the least that can tell it */
    char etalon_version[32], statistics_fingerprint[65], decisions_fingerprint[65], isa[32];
    char model[ARCHIVE_NAME_BYTES];
    char model_fingerprint[65]; /* of the model's files and what was asked of its graph */
    /* Of all that the statistics depend on besides the records, and of the fp32 bits of the machine, which are a part
     * of that: archives that share it can be merged. "": format version 1 did not know. */
    char measurement_fingerprint[65], probe[65];
    uint64_t records_used, block_size, bins;
    size_t n_values;
    struct archive_value *values;
    uint32_t extras; /* which statistics beside histograms were counted: bits of EXTRAS_* in worker/extras.h */
    size_t n_parts;  /* ARCHIVE_PARTS, or 0: none were kept */
    struct archive_part part_sizes[ARCHIVE_PARTS];
    /* NULL: blocks went to parts in turn (worker/observe_parts.h). Else [ARCHIVE_PARTS + 1]: part p is of blocks
     * [part_blocks[p], part_blocks[p + 1]). */
    uint64_t *part_blocks;
    struct histogram **parts; /* [n_parts][n_values], all of one number of bins; together they are the values' */
    size_t n_records;         /* all records of the dataset's range, used or not */
    /* [n_records]; 0 for those that were not looked at. Format version 1 had no keys, and no digests of bad ones. */
    struct record_identity *records;
    size_t n_bad;
    struct archive_bad_record *bad;
    size_t n_done;  /* words of 64 blocks in a checkpoint: which of them are counted; 0: all, nothing is missing */
    uint64_t *done; /* [n_done] */
    /* In a checkpoint whose values are in files of their own, which have no records; this one then has no values. */
    size_t n_shards;
    struct archive_shard *shards;
    uint64_t n_passes; /* of shards: 2 where they hold what a second pass has counted */
    /* Limbs of exact sums (exact_sum.h), normalised; in a checkpoint of a refinement only, which has nothing else. */
    size_t n_error_sums;
    uint64_t *error_sums;
    size_t n_job; /* bytes of what the job says of model, preprocessing, methods and targets, without any path */
    uint8_t *job; /* YAML, UTF-8, no zero at its end */
    bool is_equalized_apart; /* some targets are decided about an equalized network, others about the user's */
    size_t n_equalized;
    struct archive_equalized *equalized; /* by value, all channels of one in order */
    size_t n_targets;
    struct archive_target *targets;
};

/* Writes `name` through output. EX_IOERR, EX_CANTCREAT. Local (one rank). */
int archive_write(const struct archive *archive, struct output *output, const char *name, bool is_listed,
                  struct error *err);
/* The same, and the digest of the content, which is in the file as well. */
int archive_write_digest(const struct archive *archive, struct output *output, const char *name, bool is_listed,
                         char hex[SHA256_HEX_BYTES], struct error *err);
/* Everything is checked: format version ("written by ..., reads up to ..."), counts identities, digest. EX_DATAERR
 * naming the dataset, EX_NOINPUT. Fills *archive, owned by the caller. */
int archive_read(const char *path, struct archive *archive, struct error *err);
int archive_read_digest(const char *path, struct archive *archive, char hex[SHA256_HEX_BYTES], struct error *err);
void archive_fini(struct archive *archive); /* frees what archive_read made; may be called on {0} */
void archive_target_fini(struct archive_target *target);
/* How many values are the user's network's: those of an equalized one beside it are the last. */
size_t archive_own_values(const struct archive *archive);
/* Lets go of the values from `n` on, which no target has decided about. Of what archive_read made. */
void archive_keep_values(struct archive *archive, size_t n);

#endif
