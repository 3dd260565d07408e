/* plan_decide.h — from statistics and methods to a plan: what computes on integers, what shares a scale, and the
 * searches that this needs, as lists of independent jobs for ranks to share out. Local: nothing here talks to anybody.
 *
 *   plan_threshold_jobs   marks nodes and values, groups values that share a scale; one job a group
 *   plan_threshold_search one job, pure
 *   plan_apply_thresholds scales and codes of values, from all results
 *   plan_weight_jobs      one job a weight scale
 *   plan_weight_search    one job, pure
 *   plan_apply_weights    codes of weights and biases, from all scales
 *
 * Activations have one scale a value, or, where the target can and the job gives statistics of channels, one a channel.
 * Then weights are coded times the scales of the channels they meet (plan.h), so values come before weights.
 *
 * Every rank holds the same graph, statistics and choices, and so makes the same list in the same order. Results are
 * plain bytes of one size: each rank searches its share, gathers, and applies all of them.
 */
#ifndef ETALON_PLAN_DECIDE_H
#define ETALON_PLAN_DECIDE_H

#include "common/plan.h"
#include "coordinator/thresholds.h"
#include "coordinator/weights.h"
#include "worker/ranges.h"

/* What the job asks for. Arrays may be NULL: nothing is overridden. */
struct plan_choices {
    const struct threshold_method *activations;
    double percentile;      /* fraction kept, for that method */
    bool fixes_zero_points; /* where the profile has them, even if it may move them */
    const struct threshold_method *const
        *node_methods;         /* [n_nodes] for the values a node makes; NULL entries: unchanged */
    const bool *node_is_float; /* [n_nodes] stays in float */
    const struct weight_method *weights;
    bool weights_per_tensor; /* even where the target has scales per channel */
    /* [n_values] the histograms of each channel (axis 1), NULL entries where there are none; NULL: one scale a value.
     * Borrowed until the last search. Used where the target has scales per channel (plan_mark_channels). */
    const struct histogram *const *channel_histograms;
    /* Bias correction: [n_values] the fp32 mean of each channel (axis 1) of a value that CONV or DENSE nodes read, NULL
     * entries where unknown. The mean output shift that rounded weights cause is then taken out of the bias (Nagel et
     * al. 2019, arXiv:1906.04721, equation 17; borders are ignored). */
    const double *const *input_means;
    /* Counts of a second pass: what alone decides where the profile follows a tool. Borrowed until the last search. */
    const struct ranges *ranges;
    /* What was counted beside histograms; NULL: nothing. Borrowed until the last search. */
    const struct extras *extras;
};

/* What a scale belongs to: a value, or one of its channels. */
struct scale_place {
    int value;
    size_t channel; /* 0 where the value has one scale */
};

/* One scale and all that share it. Lives in the plan's arena. */
struct threshold_job {
    const struct threshold_method *method;
    bool decides_arg_max; /* min-max because of that, "minmax (logits)" */
    bool is_per_channel;  /* places are channels; else whole values */
    /* What the model brings along for any of the places, the largest; all 0: nothing. */
    struct given_scale {
        float threshold;
        double low, high; /* the reals of the outermost codes */
    } given;
    struct code_range codes; /* of the values; where moves_zero, the search decides the zero point */
    bool moves_zero;
    struct threshold_request request; /* its histogram is NULL: those below count together */
    size_t n_places, n_histograms;
    const struct scale_place *places; /* in execution order */
    const struct histogram *const *histograms;
    int scale_from; /* the last value whose statistics decide */
    /* Where the profile follows a tool, instead of histograms: the largest magnitude, and its bins (worker/ranges.h).
     */
    float range_limit;
    const uint64_t *range_counts; /* NULL: histograms decide */
};

struct threshold_result {
    float threshold, scale;
    int32_t zero_moved; /* the zero point, from that of the job's codes on */
    char method[PLAN_METHOD_BYTES];
};

/* Marks plan->nodes[].is_quantized and plan->values[].is_quantized as the profile says, and lists the searches.
 *
 * `histograms` [n_values], NULL where unobserved; borrowed until the last search. A node computes on integers only if
 * all its activations are observed; CONV, DECONV and DENSE need constant weights and bias, other operators no constant
 * operand. A node that only moves codes does so when a neighbour computes on integers.
 *
 * A group's threshold comes from those of its values that something other than a selection (max pool, ReLU, reshape
 * ...) reads: what a selection drops need not be kept, what an average pool is about to average must be. Several count
 * together. Values that decide the arg-max (back from the graph outputs through softmax, sigmoid, reshape, transpose,
 * concat, mean and average pool) are never clipped: min-max, unless node_methods says otherwise; and keep one scale.
 * A profile that follows a tool has its own rules: plan_tool.h.
 * The method "given" takes what the graph's values bring along, of a group the largest.
 * Codes are unsigned where the target has such and no value of the group was ever negative. Of others the search
 * decides the zero point too (zero_point.h), if the profile and the job let it, a value has one scale, and no layer
 * reads it whose sums could then pass 32 bits. Where values decide the arg-max it stays in the middle: the largest of
 * the few records seen is not the largest of all, and the other sign's codes are room for it. EX_OSERR. */
int plan_threshold_jobs(struct plan *plan, const struct histogram *const *histograms,
                        const struct plan_choices *choices, const struct threshold_job **jobs, size_t *n_jobs,
                        struct error *err);
/* Does this method take what the model brings along? */
static inline bool plan_threshold_is_given(const struct threshold_method *method, const struct threshold_job *job)
{
    return method->reads == THRESHOLD_FROM_MODEL && job->given.threshold > 0;
}
/* What a search costs beside the others, by the same method: counts that it walks. */
uint64_t plan_threshold_cost(const struct threshold_job *job);
/* A channel without any value but 0 gets the scale 2^-100, "dead": small, for the weights that meet it share a scale
 * with others; not 0, by which runtimes divide. */
int plan_threshold_search(const struct threshold_job *job, struct threshold_result *result, struct error *err);
/* Fills plan->values[] of every group from results[n_jobs]. EX_OSERR. */
int plan_apply_thresholds(struct plan *plan, const struct threshold_job *jobs, size_t n_jobs,
                          const struct threshold_result *results, struct error *err);

/* One weight scale: of an output channel, or of the tensor (channel 0) where there is one scale only. */
struct weight_job {
    int node;
    size_t channel;
};

/* Values must be decided. Jobs live in the plan's arena. EX_OSERR; EX_DATAERR: a bias of the wrong size. */
int plan_weight_jobs(struct plan *plan, const struct plan_choices *choices, const struct weight_job **jobs,
                     size_t *n_jobs, struct error *err);
uint64_t plan_weight_cost(const struct plan *plan, const struct weight_job *job); /* how many weights share the scale */
/* EX_DATAERR naming node, channel and weight that is not finite. */
int plan_weight_search(const struct plan *plan, const struct weight_job *job, const struct plan_choices *choices,
                       float *scale, struct error *err);
/* Fills plan->nodes[] from scales[n_jobs]; values must be decided. A corrected layer's method ends in " +bias". A scale
 * grows where a bias code would pass 2^30, half of int32, or the accumulator's step would not be a normal float: then
 * the node's method ends in " (bias)" or " (floor)". Where the target only shifts, scales follow from the values'
 * (plan_shift.h): the method is "shift", with " (saturates)" where some weight is beyond every code. The scale of a
 * group of zeros serves its bias alone. EX_DATAERR: a bias that is not finite, an accumulator step beyond float. */
int plan_apply_weights(struct plan *plan, const struct plan_choices *choices, const struct weight_job *jobs,
                       size_t n_jobs, const float *scales, struct error *err);

/* Layer `n` once more after scales of its input or output have changed: its weights keep their scales and codes
 * wherever they can (else codes are the nearest), its bias what it stands for. What changes is the plan's own memory
 * then, what does not may still be another plan's. EX_OSERR; EX_DATAERR as plan_apply_weights. */
int plan_recode_layer(struct plan *plan, int n, struct error *err);

/* The bias of layer `n` once more, now from what the simulation reads: means per input channel in fp32 and as
 * simulated, of the same records. Rewrites plan->nodes[n].bias and bias_codes in place. Only where
 * plan_can_correct_bias. EX_DATAERR. */
bool plan_can_correct_bias(const struct plan *plan, int n);
int plan_correct_bias(struct plan *plan, int n, const double *mean, const double *simulated, struct error *err);

/* Codes of layer `n` chosen once more, after plan_apply_weights, where plan_can_round: elements first .. first + count
 * of the rows of a group of channels, by the second moments h [count x count] of what they meet (round_codes.h). Then,
 * once, the end: its method says "+out", and the bias follows the codes where `mean` knows the fp32 means of the
 * input's channels (NULL: it stays). EX_OSERR; EX_DATAERR as for biases. */
bool plan_can_round(const struct plan *plan, int n);
int plan_round_block(struct plan *plan, int n, size_t group, size_t first, size_t count, const double *h,
                     struct error *err);
int plan_finish_rounding(struct plan *plan, int n, const double *mean, struct error *err);

/* The codes of such a layer as the archive has them, PLAN_CODE_ZERO more. EX_DATAERR: one beyond the target's. */
enum { PLAN_CODE_ZERO = 128 };
int plan_restore_codes(struct plan *plan, int n, const uint8_t *codes, struct error *err);

/* What an earlier run ended with, after plan_apply_weights from its scales: the biases of layer `n` (n_biases of them,
 * 0: it has none) and who decided. EX_DATAERR: it has another number of them, or one that int32 cannot hold. */
int plan_restore_layer(struct plan *plan, int n, const float *biases, size_t n_biases, const char *method,
                       struct error *err);

/* For those who have many plans and little memory: lets the codes of weights go, where they follow from weights and
 * scales, and makes them again. They must be there for all that simulates, corrects or writes. EX_OSERR. */
void plan_drop_codes(struct plan *plan);
int plan_make_codes(struct plan *plan, struct error *err);

/* The three steps in one process. `method_name` as under calibration.activations; EX_USAGE naming those that exist. */
int plan_decide_values(struct plan *plan, const struct histogram *const *histograms, const char *method_name,
                       double percentile, struct error *err);
int plan_decide_weights(struct plan *plan, const char *method_name, struct error *err);

#endif
