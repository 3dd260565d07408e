/* schema_calibration.c — what is under `calibration:`; see schema.h. */
#include "jobs/schema.h"

static int read_threshold_method(struct schema *r, const struct yaml *node, void *target)
{
    const char *names[64];
    size_t n = 0, index;

    for (; threshold_methods[n] != NULL && n < COUNT(names); n++)
        names[n] = threshold_methods[n]->name;
    if (schema_word(r, node, "activations method", names, n, &index) != 0)
        return -1;
    *(const struct threshold_method **)target = threshold_methods[index];
    return 0;
}

static int read_weight_method(struct schema *r, const struct yaml *node, void *target)
{
    const char *names[64];
    size_t n = 0, index;

    for (; weight_methods[n] != NULL && n < COUNT(names); n++)
        names[n] = weight_methods[n]->name;
    if (schema_word(r, node, "weights method", names, n, &index) != 0)
        return -1;
    *(const struct weight_method **)target = weight_methods[index];
    return 0;
}

static int read_granularity(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {[GRANULARITY_MIXED] = "mixed",
                                        [GRANULARITY_PER_CHANNEL] = "per-channel",
                                        [GRANULARITY_PER_TENSOR] = "per-tensor"};
    size_t index;

    if (schema_word(r, node, "granularity", words, COUNT(words), &index) != 0)
        return -1;
    *(enum granularity *)target = (enum granularity)index;
    return 0;
}

static int read_zero_points(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {[ZERO_POINTS_AUTO] = "auto", [ZERO_POINTS_FIXED] = "fixed"};
    size_t index;

    if (schema_word(r, node, "zero points", words, COUNT(words), &index) != 0)
        return -1;
    *(enum zero_points *)target = (enum zero_points)index;
    return 0;
}

static int read_bins(struct schema *r, const struct yaml *node, void *target)
{
    uint64_t bins = 0;

    if (schema_count(r, node, &bins) != 0)
        return -1;
    if (bins < 256 || bins > 65536 || (bins & (bins - 1)) != 0)
        return schema_wrong(r, node, "a power of two from 256 to 65536");
    *(size_t *)target = (size_t)bins;
    return 0;
}

static int read_block(struct schema *r, const struct yaml *node, void *target)
{
    uint64_t block = 0;

    if (schema_count(r, node, &block) != 0)
        return -1;
    if (block == 0 || block > 1024)
        return schema_wrong(r, node, "1 to 1024 records");
    *(size_t *)target = (size_t)block;
    return 0;
}

static int read_percentile(struct schema *r, const struct yaml *node, void *target)
{
    if (schema_number(r, node, target) != 0)
        return -1;
    return *(double *)target > 0 && *(double *)target <= 1 ? 0 : schema_wrong(r, node, "a fraction above 0, at most 1");
}

static int read_stop_when_stable(struct schema *r, const struct yaml *node, void *target)
{
    if (schema_number(r, node, target) != 0)
        return -1;
    return *(double *)target >= 0 && *(double *)target < 1 ? 0
                                                           : schema_wrong(r, node, "a fraction, 0 or more, below 1");
}

static int read_refine(struct schema *r, const struct yaml *node, void *target)
{
    uint64_t n = 0;

    if (schema_count(r, node, &n) != 0)
        return -1;
    if (n > 16)
        return schema_wrong(r, node, "0 to 16 passes");
    *(unsigned *)target = (unsigned)n;
    return 0;
}

static int read_passes(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"one", "two"};
    size_t index;

    if (schema_word(r, node, "passes", words, COUNT(words), &index) != 0)
        return -1;
    *(bool *)target = index == 1;
    return 0;
}

static int read_bias_correction(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {[BIAS_CORRECTION_SIMULATED] = "simulated",
                                        [BIAS_CORRECTION_ANALYTIC] = "analytic",
                                        [BIAS_CORRECTION_NONE] = "none"};
    size_t index;

    if (schema_word(r, node, "bias correction", words, COUNT(words), &index) != 0)
        return -1;
    *(enum bias_correction *)target = (enum bias_correction)index;
    return 0;
}

static int read_rounding(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {
        [WEIGHT_ROUNDING_AUTO] = "auto", [WEIGHT_ROUNDING_NEAREST] = "nearest", [WEIGHT_ROUNDING_OUTPUT] = "output"};
    size_t index;

    if (schema_word(r, node, "rounding", words, COUNT(words), &index) != 0)
        return -1;
    *(enum weight_rounding *)target = (enum weight_rounding)index;
    return 0;
}

static int read_equalization(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {
        [EQUALIZATION_AUTO] = "auto", [EQUALIZATION_NONE] = "none", [EQUALIZATION_WEIGHTS] = "weights"};
    size_t index;

    if (schema_word(r, node, "equalization", words, COUNT(words), &index) != 0)
        return -1;
    *(enum equalization_choice *)target = (enum equalization_choice)index;
    return 0;
}

static int read_precision(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"float", "int8", "int16"};
    char where[64];
    size_t index;

    if (schema_word(r, node, "precision", words, COUNT(words), &index) != 0)
        return -1;
    if (index == 2)
        return error_set(r->err, EX_UNAVAILABLE, "%s: precision int16 is not in this version", yaml_where(node, where));
    *(enum precision *)target = index == 0 ? PRECISION_FLOAT : PRECISION_INT8;
    return 0;
}

static int read_overrides(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    char where[64];

    if (node->kind != YAML_LIST || node->n > RUN_MAX_OVERRIDES)
        return schema_wrong(r, node, "a list of at most 256 overrides");
    for (size_t i = 0; i < node->n; i++) {
        const struct schema_field fields[] = {
            {"node", schema_text, &request->calibration.overrides[i].node},
            {"activations", read_threshold_method, &request->calibration.overrides[i].activations},
            {"precision", read_precision, &request->calibration.overrides[i].precision},
        };

        if (schema_map(r, node->items[i], fields, COUNT(fields)) != 0)
            return -1;
        if (request->calibration.overrides[i].node == NULL)
            return error_set(r->err, EX_CONFIG, "%s: an override needs \"node\"", yaml_where(node->items[i], where));
    }
    request->calibration.n_overrides = node->n;
    return 0;
}

int schema_calibration(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct schema_field fields[] = {
        {"activations", read_threshold_method, &request->calibration.activations},
        {"weights", read_weight_method, &request->calibration.weights},
        {"granularity", read_granularity, &request->calibration.granularity},
        {"zero_points", read_zero_points, &request->calibration.zero_points},
        {"bins", read_bins, &request->calibration.bins},
        {"channel_bins", read_bins, &request->calibration.channel_bins},
        {"block", read_block, &request->calibration.block},
        {"percentile", read_percentile, &request->calibration.percentile},
        {"stop_when_stable", read_stop_when_stable, &request->calibration.stop_when_stable},
        {"bias_correction", read_bias_correction, &request->calibration.bias_correction},
        {"rounding", read_rounding, &request->calibration.rounding},
        {"equalization", read_equalization, &request->calibration.equalization},
        {"passes", read_passes, &request->calibration.has_two_passes},
        {"refine", read_refine, &request->calibration.refine},
        {"overrides", read_overrides, request},
    };

    return schema_map(r, node, fields, COUNT(fields));
}
