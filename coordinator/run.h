/* run.h — one calibration from beginning to end: measure, decide, simulate, write.
 */
#ifndef ETALON_RUN_H
#define ETALON_RUN_H

#include "common/preprocess_plan.h"
#include "coordinator/comm.h"
#include "coordinator/thresholds.h"
#include "coordinator/weights.h"
#include "formats/archive.h"
#include "formats/model.h"
#include "formats/record.h"
#include "formats/target.h"
#include "worker/class_map.h"
#include "worker/metrics.h"

#include <stdio.h>

enum { RUN_MAX_TARGETS = 32, RUN_MAX_OVERRIDES = 256, RUN_DEFAULT_BLOCK = 8 };

enum granularity { GRANULARITY_MIXED, GRANULARITY_PER_CHANNEL, GRANULARITY_PER_TENSOR };
enum precision { PRECISION_DEFAULT, PRECISION_FLOAT, PRECISION_INT8 };

/* What takes the mean shift that integers cause out of the biases. */
enum bias_correction {
    BIAS_CORRECTION_SIMULATED, /* from the simulation of a few records, layer by layer (correct.h) */
    BIAS_CORRECTION_ANALYTIC,  /* from the archived means of the fp32 network: the rounding of weights only */
    BIAS_CORRECTION_NONE,
};

/* How weights become codes of their scale. */
enum weight_rounding {
    WEIGHT_ROUNDING_AUTO,    /* each target its own: run_rounds_by_output */
    WEIGHT_ROUNDING_NEAREST, /* to the nearest */
    WEIGHT_ROUNDING_OUTPUT,  /* by what a few records show them to do to outputs (round_weights.h) */
};

/* Where real zero lies among the codes of a value of both signs. */
enum zero_points {
    ZERO_POINTS_AUTO,  /* where the least error is, on targets that let it lie anywhere (zero_point.h) */
    ZERO_POINTS_FIXED, /* in the middle */
};

/* Channels between layers (common/equalize.h). */
enum equalization_choice {
    EQUALIZATION_AUTO, /* each target its own: run_equalizes */
    EQUALIZATION_NONE,
    EQUALIZATION_WEIGHTS, /* to like ranges of weights */
};

/* What a job file says, checked and with paths resolved. All strings are borrowed from the job. */
struct run_request {
    struct model_request model;
    const char *model_name;            /* base name for files, e.g. "resnet20" */
    const char *text;                  /* what the archive keeps of the job, as YAML without paths; NULL: nothing */
    struct dataset_request dataset;    /* not given: what the model's data layer says, to `limit` of its records */
    bool may_take_preprocess;          /* the job leaves it out: what the model's data layer says, if it has one */
    struct preprocess_plan preprocess; /* of every input but those below */
    size_t n_preprocess_inputs;
    struct input_preprocess {
        const char *name; /* of the input */
        struct preprocess_plan plan;
    } * preprocess_inputs;
    struct {
        const struct threshold_method *activations;
        const struct weight_method *weights;
        enum granularity granularity;
        enum zero_points zero_points;
        size_t bins, channel_bins; /* powers of two */
        size_t block;              /* records per engine call; 0: the data layer's batch, or the default */
        double percentile;         /* fraction kept */
        double stop_when_stable;   /* relative movement of thresholds at which the pass ends; 0: never (measure.h) */
        enum bias_correction bias_correction;
        enum weight_rounding rounding;
        unsigned refine;     /* passes in which the simulation judges other thresholds (refine.h); 0: none */
        bool has_two_passes; /* ranges first, then a vendor's own bins (ranges.h), in fp32 of TNN's own last bits */
        enum equalization_choice equalization;
        size_t n_overrides;
        struct {
            const char *node;                           /* glob over node names */
            const struct threshold_method *activations; /* NULL: unchanged */
            enum precision precision;
        } overrides[RUN_MAX_OVERRIDES];
    } calibration;
    size_t n_targets;
    const struct target *targets[RUN_MAX_TARGETS];
    struct target_settings target_settings;
    /* Of evaluate: n_ready is 0, or n_targets, and targets[i] is what somebody has made of the model already. Nothing
     * is measured then. */
    size_t n_ready;
    struct ready_model {
        const char *file, *weights; /* as of a model_request */
    } ready[RUN_MAX_TARGETS];
    struct {
        bool is_skipped;
        bool skips_layers;              /* of errors only those of the outputs */
        struct dataset_request dataset; /* kind NULL: the calibration set */
        bool with_local_errors;         /* also of each layer alone; simulates twice */
        bool with_original;             /* also the network as it was imported, in fp32 */
        size_t n_top_k;
        size_t top_k[METRICS_MAX_TOP];
        struct {
            bool is_asked;                 /* the first output is scores of classes for every pixel */
            struct dataset_request labels; /* pictures of the true classes; kind NULL: none */
            struct preprocess_plan preprocess;
            struct class_map classes; /* of the numbers in them */
        } segmentation;
    } evaluate;
    size_t threads;        /* engine threads per rank */
    size_t decode_threads; /* beside them; 0: as many */
    uint64_t prefetch_mib; /* what a rank may hold of decoded records, in MiB; 0: what its threads need */
    const char *isa;       /* "native", "avx2", ... */
    uint64_t max_bad_records;
    uint64_t stall_seconds;       /* without a finished block, until a rank is named in a warning; 0: never */
    const char *output;           /* folder */
    bool force;                   /* do it again, replacing a finished folder whatever its fingerprints; and files */
    bool may_replace;             /* a finished folder with other fingerprints, but leave the same as it is */
    bool starts_anew;             /* from the first block, whatever checkpoint there is */
    uint64_t checkpoint_interval; /* seconds; 0: by what a checkpoint costs */
};

/* What its methods want to know beside histograms: bits of EXTRAS_* (worker/extras.h). */
unsigned run_collects(const struct run_request *request);
/* Does a target of this profile want an equalized network, and codes chosen by outputs? By default where weights have
 * one scale a tensor, and the latter where a simulation needs the data anyway. */
bool run_equalizes(const struct run_request *request, const struct profile *profile);
bool run_rounds_by_output(const struct run_request *request, const struct profile *profile);
/* Where all do, or none, one network is measured; else both (apart.h). */
enum equalized_targets { EQUALIZED_NONE, EQUALIZED_ALL, EQUALIZED_SOME };
enum equalized_targets run_equalized_targets(const struct run_request *request);
/* Is there a target that equalizes, and whose biases have fewer bits than its accumulators? */
bool run_has_short_biases(const struct run_request *request);

/* Collective. The whole job; its table goes to `out` (rank 0; NULL: nowhere). Returns -1 with EX_UNAVAILABLE when all
 * but some targets were written. *is_finished tells that from other failures: the folder holds this very job's results
 * now. */
int run_calibrate(const struct comm *comm, const struct run_request *request, FILE *out, bool *is_finished,
                  struct error *err);

/* Collective. Does the output folder hold the results of this very job? Then -1 with the EX_UNAVAILABLE of a target
 * that failed, if one has. Reads the model, and of the dataset what its fingerprint needs; writes nothing. */
int run_is_finished(const struct comm *comm, const struct run_request *request, bool *is_finished, struct error *err);

/* Collective. Accuracy and per-layer error of every target, as a table or JSON on `out` (rank 0); statistics come from
 * the archive in request->output when it fits the job, else from a pass over the data. Ready-made models need none:
 * EX_UNAVAILABLE naming file and node where one cannot be read back, EX_DATAERR where it is of another network. Writes
 * nothing but, where `choices` is not NULL, a text file of that name: one line a record with its number and the arg-max
 * of each network. EX_CANTCREAT: it is there already, and request->force is not set.
 */
int run_evaluate(const struct comm *comm, const struct run_request *request, bool as_json, const char *choices,
                 FILE *out, struct error *err);

/* Collective. Decisions and models again from an archive, which may be emptied by it: no data, no inference. What the
 * archive decided in the same way is taken from it, the rest is searched. A target whose decisions need data that the
 * archive has not recorded fails alone, like one that cannot express the model (EX_UNAVAILABLE). EX_DATAERR: another
 * model. The request's evaluation is not looked at; its bins and block are the archive's.
 *
 * Records of the calibration set, for targets that ship some, are there if `measured` is not NULL: the request of the
 * run that the archive is of. Both requests have its dataset and preprocessing then, of which nothing else is read than
 * what is shipped and what tells that it is the archive's. EX_DATAERR: it is not. */
int run_emit(const struct comm *comm, const struct run_request *request, const struct run_request *measured,
             struct archive *archive, struct error *err);

/* Collective. What would happen: model, dataset and targets, as text on `out` (rank 0). Of the dataset it reads the
 * records of its fingerprint, and runs the preprocessing on the first: EX_DATAERR if that is bad and the job allows no
 * bad record. EX_CANTCREAT: the output folder could not be made or written; it leaves none behind. */
int run_describe(const struct comm *comm, const struct run_request *request, FILE *out, struct error *err);

/* Collective. Draws what the network is given for n records, at least 1, evenly spaced, as the contact sheet `path`, a
 * PNG; a line a tile on `out` (rank 0). EX_UNAVAILABLE: the network has no input that is a picture; EX_CANTCREAT: the
 * file is there already, and request->force is not set. */
int run_sheet(const struct comm *comm, const struct run_request *request, size_t n, const char *path, FILE *out,
              struct error *err);

#define ETALON_VERSION "0.1.0"

#endif
