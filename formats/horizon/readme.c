/* readme.c — README.md of the folder: what each file is, what consumes it, and what is known of that. */
#include "formats/horizon/method.h"
#include "formats/text_file.h"

static const char files[] =
    "| file | what it is |\n"
    "|---|---|\n"
    "| `*_original_float.onnx` | the network as imported, opset 13 |\n"
    "| `*_optimized_float.onnx` | folded and fused; every value has type and shape: what config.yaml names |\n"
    "| `*_ptq_model.onnx` | the same with standard Q/DQ nodes: int8, symmetric, one scale a value, one an output "
    "channel of weights, biases in float with their corrections |\n"
    "| `*_ptq_model_<input_type_rt>.onnx` | that behind the board's pixels (nv12: two inputs, y and uv), for "
    "evaluation |\n"
    "| `config.yaml`, `quant_config.json` | the vendor's configuration of conversion and calibration |\n"
    "| `calibration_data/<input>/` | calibration tensors, float32, evenly spaced records |\n"
    "| `thresholds.json` | every threshold and scale: a format of ours |\n"
    "| `performance_estimate.json`, `.md` | an estimate of ours from a roofline, no measurement |\n";

static const char routes[] =
    "## Route A: the vendor calibrates\n\n"
    "    %s\n\n"
    "It calibrates the optimised float model itself, with the tensors here: it repeats our choice of method, not our "
    "numbers.\n\n"
    "## Route B: our scales\n\n"
    "`*_ptq_model.onnx` through the compiler's own interface (hbdk4: `export`, `convert`, `compile`).\n\n"
    "## What is confirmed, and what is best effort\n\n"
    "- Confirmed: both float models and both Q/DQ models pass the ONNX checker and run in ONNX Runtime; keys of "
    "config.yaml and quant_config.json are documented ones; calibration tensors of J6 are normalised, as the float "
    "model wants them.\n"
    "- Best effort: that the compiler keeps the scales of Q/DQ nodes (an independent project reports so for nash-p); "
    "the place of `activation` inside model_config; the constants of the colour conversion, which the compiler rounds "
    "in its own way.\n"
    "- Not here: `.bc` and `.hbm`, which only the vendor's compiler makes, and models with HzCalibration nodes, whose "
    "attributes are not public. Nothing here was run by the vendor's tools.\n";

int horizon_write_readme(const struct horizon *h, struct error *err)
{
    struct horizon_method method = horizon_method(h->info);
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out, "# %s for %s\n\n%s\n", h->prefix, horizon_setting(h, "march"), files);
    fprintf(file.out, routes,
            h->is_nash ? "hb_compile --config config.yaml"
                       : "hb_mapper makertbin --model-type onnx --config config.yaml");
    if (!method.is_same)
        fprintf(file.out,
                "\nThe method `%s` has no name there: the configuration asks for the percentile %g instead, and our "
                "thresholds are in the Q/DQ model and thresholds.json alone.\n",
                h->info->method, method.percentile);
    if (h->n_samples == 0)
        fprintf(file.out, "\nThere are no calibration tensors: none were asked for, or etalon emit had no --job "
                          "to take them from.\n");
    return text_file_end(&file, h->output, HORIZON, "README.md", err);
}
