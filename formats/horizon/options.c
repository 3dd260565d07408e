/* options.c — what a job may set of horizon-j6, and what cannot stand together; see horizon.h. */
#include "formats/horizon/horizon.h"

#include <string.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct target_option horizon_options[] = {
    {"march", SETTING_WORD, "nash-e",
     WORDS("nash-e", "nash-m", "nash-p", "nash-h", "nash-b", "nash-b-lite", "nash-b-plus", "bayes-e", "bayes"), 0, 0,
     false},
    {"dialect", SETTING_WORD, "nash", WORDS("nash", "bayes-e", "bayes"), 0, 0, false},
    {"input_type_rt", SETTING_WORD, "auto", WORDS("auto", "nv12", "yuv444", "rgb", "bgr", "gray", "featuremap"), 0, 0,
     false},
    {"input_space_and_range", SETTING_WORD, "regular", WORDS("regular", "bt601_video"), 0, 0, false},
    {"input_source", SETTING_WORD, "auto", WORDS("auto", "ddr", "pyramid", "resizer"), 0, 0, false},
    {"input_batch", SETTING_COUNT, "1", NULL, 1, 4096, false},
    {"separate_batch", SETTING_TRUTH, "false", NULL, 0, 0, false},
    {"separate_name", SETTING_TEXT, "", NULL, 0, 0, false},
    {"remove_node_type", SETTING_TEXT, "", NULL, 0, 0, false},
    {"remove_node_name", SETTING_TEXT, "", NULL, 0, 0, false},
    {"all_node_type", SETTING_WORD, "int8", WORDS("int8", "int16", "float16"), 0, 0, false},
    {"int16_nodes", SETTING_TEXT, "", NULL, 0, 0, false},
    {"float16_nodes", SETTING_TEXT, "", NULL, 0, 0, false},
    {"compile_mode", SETTING_WORD, "latency", WORDS("latency", "bandwidth", "balance"), 0, 0, false},
    {"balance_factor", SETTING_COUNT, "", NULL, 0, 100, false},
    {"optimize_level", SETTING_WORD, "O2", WORDS("O0", "O1", "O2", "O3"), 0, 0, false},
    {"core_num", SETTING_COUNT, "1", NULL, 1, 4, false},
    {"max_l2m_size", SETTING_COUNT, "", NULL, 0, 25165824, false},
    {"jobs", SETTING_COUNT, "16", NULL, 1, 256, false},
    {"samples", SETTING_COUNT, "100", NULL, 0, 10000, false},
    {"sample_format", SETTING_WORD, "npy", WORDS("npy", "bin", "both"), 0, 0, false},
    {"ddr_gb_per_second", SETTING_COUNT, "50", NULL, 1, 10000, false},
    {0},
};

/* The nodes that the vendor's tool can take off at the edges. */
static const char *const removable[] = {"Quantize", "Dequantize", "Transpose", "Cast", "Reshape", "Softmax"};

static int check_removed_types(const char *types, struct error *err)
{
    while (*types != '\0') {
        size_t length = strcspn(types, ";"), i = 0;

        while (i < sizeof removable / sizeof *removable &&
               (strlen(removable[i]) != length || strncmp(removable[i], types, length) != 0))
            i++;
        if (i == sizeof removable / sizeof *removable)
            return error_set(err, EX_CONFIG,
                             "remove_node_type: expected Quantize, Dequantize, Transpose, Cast, Reshape or Softmax, "
                             "joined by \";\", found \"%.*s\"",
                             (int)length, types);
        types += length + (types[length] == ';');
    }
    return 0;
}

static const char *setting(const struct target_settings *settings, const char *option)
{
    return target_setting(settings, &target_horizon, option);
}

static bool is(const struct target_settings *settings, const char *option, const char *value)
{
    return strcmp(setting(settings, option), value) == 0;
}

static int check_march(const struct target_settings *settings, struct error *err)
{
    const char *march = setting(settings, "march"), *dialect = setting(settings, "dialect");
    bool is_nash = strncmp(march, "nash", 4) == 0,
         takes_cores = is(settings, "march", "nash-p") || is(settings, "march", "nash-h");

    if (is_nash ? strcmp(dialect, "nash") != 0 : strcmp(dialect, march) != 0)
        return error_set(err, EX_CONFIG, "march: %s is not of the dialect %s", march, dialect);
    if (!takes_cores && is_nash && !is(settings, "core_num", "1"))
        return error_set(err, EX_CONFIG, "core_num: %s has one core, found %s", march, setting(settings, "core_num"));
    if (!is(settings, "max_l2m_size", "") && !is(settings, "march", "nash-p"))
        return error_set(err, EX_CONFIG, "max_l2m_size: only nash-p has such memory, found march %s", march);
    if (is_nash && is(settings, "optimize_level", "O3"))
        return error_set(err, EX_CONFIG, "optimize_level: of %s expected O0, O1 or O2, found O3", march);
    return 0;
}

int horizon_check_settings(const struct target_settings *settings, struct error *err)
{
    bool is_balanced = is(settings, "compile_mode", "balance");

    if (check_march(settings, err) != 0 || check_removed_types(setting(settings, "remove_node_type"), err) != 0)
        return -1;
    if (!is(settings, "dialect", "nash") && (!is(settings, "all_node_type", "int8") ||
                                             !is(settings, "int16_nodes", "") || !is(settings, "float16_nodes", "")))
        return error_set(err, EX_CONFIG,
                         "all_node_type, int16_nodes, float16_nodes: only the dialect nash has a "
                         "quant_config");
    if (is_balanced == is(settings, "balance_factor", ""))
        return error_set(err, EX_CONFIG, "balance_factor: belongs to compile_mode balance, which needs it");
    if (is(settings, "separate_batch", "true") && !is(settings, "separate_name", ""))
        return error_set(err, EX_CONFIG, "separate_name: excludes separate_batch");
    if (is(settings, "input_batch", "1") &&
        (is(settings, "separate_batch", "true") || !is(settings, "separate_name", "")))
        return error_set(err, EX_CONFIG, "input_batch: a batch of 1 cannot be separated");
    return 0;
}

const char *horizon_setting(const struct horizon *h, const char *option)
{
    return setting(h->info->settings, option);
}

bool horizon_is(const struct horizon *h, const char *option, const char *value)
{
    return is(h->info->settings, option, value);
}
