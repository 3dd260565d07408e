/* config.c — config.yaml of hb_compile (nash) or hb_mapper (bayes, bayes-e): its four groups, documented keys only.
 *
 * Values are strings; those of several inputs are joined by ";" in the order of input_name, those of channels by
 * blanks, "None" stands for an input that has none. What nash derives by itself is left to it: norm_type,
 * cal_data_type and calibration_type are written for the older chain only.
 */
#include "formats/horizon/method.h"

#include "common/real_text.h"
#include "formats/text_file.h"

#include <string.h>

/* '...' with quotes doubled: any text of one printable line as a YAML string. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '\'' ? "''" : "%c", *text);
    fputc('\'', out);
}

static void print_key(FILE *out, const char *key, const char *value)
{
    fprintf(out, "  %s: ", key);
    print_quoted(out, value);
    fputc('\n', out);
}

static void print_setting(const struct horizon *h, FILE *out, const char *key)
{
    if (!horizon_is(h, key, ""))
        print_key(out, key, horizon_setting(h, key));
}

/* Settings that are numbers. */
static void print_number(const struct horizon *h, FILE *out, const char *key)
{
    if (!horizon_is(h, key, ""))
        fprintf(out, "  %s: %s\n", key, horizon_setting(h, key));
}

static void print_model(const struct horizon *h, FILE *out)
{
    fprintf(out, "model_parameters:\n  onnx_model: './%s_optimized_float.onnx'\n", h->prefix);
    print_setting(h, out, "march");
    print_key(out, "working_dir", "./model_output");
    print_key(out, "output_model_file_prefix", h->prefix);
    print_setting(h, out, "remove_node_type");
    print_setting(h, out, "remove_node_name");
}

/* --- inputs --- */

static void put_name(FILE *out, const struct horizon_input *input)
{
    for (const char *c = input->name; *c != '\0'; c++)
        fprintf(out, *c == '\'' ? "''" : "%c", *c);
}

static void put_board(FILE *out, const struct horizon_input *input)
{
    fputs(horizon_colour_name(input->board), out);
}

static void put_train(FILE *out, const struct horizon_input *input)
{
    fputs(horizon_colour_name(input->train), out);
}

static void put_layout(FILE *out, const struct horizon_input *input)
{
    (void)input;
    fputs("NCHW", out);
}

static void put_shape(FILE *out, const struct horizon_input *input)
{
    for (size_t i = 0; i < input->shape->rank; i++)
        fprintf(out, "%s%lld", i > 0 ? "x" : "", (long long)input->shape->dims[i]);
}

static void put_numbers(FILE *out, const struct horizon_input *input, const float *numbers)
{
    char text[REAL_TEXT_BYTES];

    if (!input->is_normalised) {
        fputs("None", out);
        return;
    }
    for (int64_t c = 0; c < input->shape->dims[1]; c++)
        fprintf(out, "%s%s", c > 0 ? " " : "", real_text(numbers[c], text));
}

static void put_mean(FILE *out, const struct horizon_input *input)
{
    put_numbers(out, input, input->mean);
}

static void put_scale(FILE *out, const struct horizon_input *input)
{
    put_numbers(out, input, input->scale);
}

static void put_norm(FILE *out, const struct horizon_input *input)
{
    fputs(input->is_normalised ? "data_mean_and_scale" : "no_preprocess", out);
}

static void put_folder(FILE *out, const struct horizon_input *input)
{
    fprintf(out, "./calibration_data/%s", input->folder);
}

static void put_float32(FILE *out, const struct horizon_input *input)
{
    (void)input;
    fputs("float32", out);
}

/* key: 'a;b;c', one an input. */
static void print_inputs(const struct horizon *h, FILE *out, const char *key,
                         void (*put)(FILE *out, const struct horizon_input *input))
{
    fprintf(out, "  %s: '", key);
    for (size_t i = 0; i < h->plan->graph->n_inputs; i++) {
        if (i > 0)
            fputc(';', out);
        put(out, &h->inputs[i]);
    }
    fputs("'\n", out);
}

static void print_input(const struct horizon *h, FILE *out)
{
    bool is_normalised = false, has_nv12 = false;

    for (size_t i = 0; i < h->plan->graph->n_inputs; i++) {
        is_normalised = is_normalised || h->inputs[i].is_normalised;
        has_nv12 = has_nv12 || h->inputs[i].board == HORIZON_NV12;
    }
    fputs("input_parameters:\n", out);
    print_inputs(h, out, "input_name", put_name);
    print_inputs(h, out, "input_type_rt", put_board);
    print_inputs(h, out, "input_type_train", put_train);
    print_inputs(h, out, "input_layout_train", put_layout);
    print_inputs(h, out, "input_shape", put_shape);
    if (!h->is_nash)
        print_inputs(h, out, "norm_type", put_norm);
    if (is_normalised) {
        print_inputs(h, out, "mean_value", put_mean);
        print_inputs(h, out, "scale_value", put_scale);
    }
    if (has_nv12)
        print_setting(h, out, "input_space_and_range");
    if (!horizon_is(h, "input_batch", "1"))
        print_number(h, out, "input_batch");
    if (horizon_is(h, "separate_batch", "true"))
        fputs("  separate_batch: True\n", out);
    print_setting(h, out, "separate_name");
}

/* --- calibration and compiler --- */

static void print_calibration(const struct horizon *h, FILE *out)
{
    struct horizon_method method = horizon_method(h->info);
    char text[REAL_TEXT_BYTES];

    fputs("calibration_parameters:\n", out);
    if (h->n_samples > 0)
        print_inputs(h, out, "cal_data_dir", put_folder);
    if (h->is_nash) {
        print_key(out, "quant_config", "./quant_config.json");
        return;
    }
    if (h->n_samples > 0)
        print_inputs(h, out, "cal_data_type", put_float32);
    print_key(out, "calibration_type", method.calibration_type);
    if (method.has_percentile)
        fprintf(out, "  max_percentile: %s\n", real_text((float)method.percentile, text));
}

static void print_compiler(const struct horizon *h, FILE *out)
{
    const char *source = horizon_setting(h, "input_source");

    fputs("compiler_parameters:\n", out);
    print_setting(h, out, "compile_mode");
    print_number(h, out, "balance_factor");
    print_number(h, out, "core_num");
    print_setting(h, out, "optimize_level");
    fputs("  input_source:\n", out);
    for (size_t i = 0; i < h->plan->graph->n_inputs; i++) {
        bool is_camera = h->inputs[i].board == HORIZON_NV12 || h->inputs[i].board == HORIZON_GRAY;

        fputs("    ", out);
        print_quoted(out, h->inputs[i].name);
        fprintf(out, ": '%s'\n", strcmp(source, "auto") != 0 ? source : is_camera ? "pyramid" : "ddr");
    }
    print_number(h, out, "max_l2m_size");
    print_number(h, out, "jobs");
}

int horizon_write_config(const struct horizon *h, struct error *err)
{
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out, "# %s, of the dialect %s.\n",
            h->is_nash ? "hb_compile --config config.yaml"
                       : "hb_mapper makertbin --model-type onnx --config config.yaml",
            horizon_setting(h, "dialect"));
    if (h->n_samples == 0)
        fputs("# There is no cal_data_dir: no calibration tensors were asked for, or etalon emit had no --job to take "
              "them from.\n",
              file.out);
    print_model(h, file.out);
    print_input(h, file.out);
    print_calibration(h, file.out);
    print_compiler(h, file.out);
    return text_file_end(&file, h->output, HORIZON, "config.yaml", err);
}
