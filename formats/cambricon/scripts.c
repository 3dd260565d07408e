/* scripts.c — what the user runs in the vendor's image, and the note that says so: see cambricon.h.
 *
 * Source of the calls: the vendor's PyTorch walk-through for the MLU200 series, and genoff of its public Caffe.
 */
#include "formats/cambricon/cambricon.h"

#include <stdlib.h>
#include <string.h>

static const char readme[] =
    "Files for Cambricon's @CHIP@, @BITS@ bits, made by etalon.\n"
    "\n"
    "  @NAME@_int@BITS@.pth            state_dict for torch_mlu: fp32 weights, and `scale`, `quantized_mode` and, with "
    "a\n"
    "                          scale a channel, `scale_weight_per_channel` of each quantized layer\n"
    "  model.py                class Net, which takes that state_dict; operators of PyTorch 1.3\n"
    "  @NAME@_int@BITS@.prototxt       for the vendor's Caffe: position and scale of each quantized layer; fp16 "
    "otherwise\n"
    "  @NAME@_int@BITS@_fp32.prototxt  the same with fp32 otherwise\n"
    "  @NAME@_int@BITS@.caffemodel     fp32 weights for both\n"
    "  io.json                 inputs, outputs and preprocessing; our description, no .cambricon_twins\n"
    "  build_offline.sh        run in the vendor's image: makes <name>_int@BITS@_<fp16|fp32>_<chip>.cambricon\n"
    "  genoff.py               what it runs under PyTorch\n"
    "\n"
    "Inputs are what the preprocessing in io.json gives: no mean and std are folded into a first convolution "
    "(firstconv),\n"
    "and there are no files for the vendor's TensorFlow.\n"
    "\n"
    "What io.json says is not there (\"pytorch\" or \"caffe\": false) could not be written: the network has an "
    "operator that\n"
    "PyTorch 1.3 or Caffe lacks; the log of the calibration names it.\n"
    "\n"
    "Weights and biases are the network's, BatchNorm folded; biases include the correction that the calibration "
    "chose.\n"
    "The vendor's compiler makes the integers. Caffe has one scale a tensor: where the plan has one a channel, the\n"
    "prototxt takes one that clips no weight, and the .pth is the better file. Depthwise convolutions run in float "
    "under Caffe, and\n"
    "transposed ones under PyTorch, whatever is said of them here.\n"
    "\n"
    "Confirmed by the vendor's public sources: keys, codes of quantized_mode, prototxt fields, q = round(S x).\n"
    "Not confirmed: that torch_mlu for PyTorch 1.3, which is not public, reads the same keys as its successor; how "
    "the\n"
    "chip rounds (the simulation rounds half to even; the report shows the other end too). Nothing here has run on a "
    "card.\n";

static const char genoff[] =
    "# Makes an offline model of Net with torch_mlu. Run by build_offline.sh.\n"
    "import argparse\n"
    "import torch\n"
    "import torch_mlu\n"
    "import torch_mlu.core.mlu_model as ct\n"
    "import torch_mlu.core.mlu_quantize as mlu_quantize\n"
    "from model import Net\n"
    "\n"
    "SHAPES = [@SHAPES@]\n"
    "\n"
    "parser = argparse.ArgumentParser()\n"
    "parser.add_argument(\"--weights\", required=True)\n"
    "parser.add_argument(\"--half\", action=\"store_true\")\n"
    "parser.add_argument(\"--core-version\", default=\"@CHIP@\")\n"
    "parser.add_argument(\"--core-number\", type=int, required=True)\n"
    "parser.add_argument(\"--batch\", type=int, default=1)\n"
    "parser.add_argument(\"--out\", required=True)\n"
    "arguments = parser.parse_args()\n"
    "\n"
    "torch.set_grad_enabled(False)\n"
    "net = mlu_quantize.quantize_dynamic_mlu(Net().eval(), dtype=\"int@BITS@\", qconfig_spec={\"firstconv\": False, "
    "\"per_channel\": @PER_CHANNEL@})\n"
    "net.load_state_dict(torch.load(arguments.weights, map_location=\"cpu\"), strict=False)\n"
    "net = net.eval().float().to(ct.mlu_device())\n"
    "ct.set_device(-1)  # no card is needed to compile\n"
    "ct.set_core_number(arguments.core_number)\n"
    "ct.set_core_version(arguments.core_version)\n"
    "ct.save_as_cambricon(arguments.out)\n"
    "\n"
    "\n"
    "def examples(batch):\n"
    "    kind = torch.HalfTensor if arguments.half else torch.FloatTensor\n"
    "    return [torch.rand(batch, *shape[1:]).type(kind).to(ct.mlu_device()) for shape in SHAPES]\n"
    "\n"
    "\n"
    "traced = torch.jit.trace(net, tuple(examples(1)), check_trace=False)\n"
    "traced(*examples(arguments.batch))\n"
    "ct.save_as_cambricon(\"\")\n";

static const char build[] =
    "#!/usr/bin/env bash\n"
    "# Makes the offline models of this folder in the vendor's image, for fp16 and fp32 between layers.\n"
    "#   ./build_offline.sh [pytorch|caffe]      default: the first whose tool is here\n"
    "# Environment: CORE_VERSION (@CHIP@), CORE_NUMBER (1), BATCH (1). It fails unless every model that it names is "
    "there.\n"
    "set -euo pipefail\n"
    "cd \"$(dirname \"$0\")\"\n"
    "name=@QUOTED_NAME@_int@BITS@\n"
    "version=${CORE_VERSION:-@CHIP@} cores=${CORE_NUMBER:-1} batch=${BATCH:-1}\n"
    "chip=$(echo \"$version\" | tr '[:upper:]' '[:lower:]')\n"
    "flow=${1:-}\n"
    "if [ -z \"$flow\" ] && python3 -c 'import torch_mlu' 2>/dev/null && [ -e model.py ]; then flow=pytorch; fi\n"
    "if [ -z \"$flow\" ] && command -v caffe >/dev/null && [ -e \"$name.prototxt\" ]; then flow=caffe; fi\n"
    "if [ -z \"$flow\" ]; then\n"
    "  echo \"neither torch_mlu nor the vendor's caffe is here: run this in Cambricon's image; nothing was made\" >&2\n"
    "  exit 69\n"
    "fi\n"
    "for float in fp16 fp32; do\n"
    "  out=${name}_${float}_$chip\n"
    "  rm -f \"$out.cambricon\"\n"
    "  if [ \"$flow\" = pytorch ]; then\n"
    "    half=(); [ $float = fp32 ] || half=(--half)\n"
    "    python3 genoff.py --weights \"$name.pth\" \"${half[@]}\" --core-version \"$version\" --core-number \"$cores\" "
    "--batch \"$batch\" "
    "--out \"$out\"\n"
    "  else\n"
    "    suffix=; [ $float = fp16 ] || suffix=_fp32\n"
    "    caffe genoff -model \"$name$suffix.prototxt\" -weights \"$name.caffemodel\" -mname "
    "\"$out\" \\\n"
    "      -mcore \"$version\" -simple_compile 1 -batchsize \"$batch\" -core_number \"$cores\" -opt_level 1\n"
    "  fi\n"
    "  [ -s \"$out.cambricon\" ] || { echo \"$out.cambricon was not made\" >&2; exit 70; }\n"
    "  echo \"made $out.cambricon\"\n"
    "done\n";

struct word {
    const char *name, *text;
};

/* The template with its @WORDS@ replaced. */
static void fill(const char *template, const struct word *words, size_t n, FILE *out)
{
    for (const char *at = template; *at != '\0';) {
        bool is_word = false;

        for (size_t i = 0; i < n && !is_word; i++) {
            size_t length = strlen(words[i].name);

            is_word = strncmp(at, words[i].name, length) == 0;
            fputs(is_word ? words[i].text : "", out);
            at += is_word ? length : 0;
        }
        if (!is_word)
            fputc(*at++, out);
    }
}

static int write_filled(const char *template, const struct word *words, size_t n, const char *folder, const char *file,
                        struct output *output, struct error *err)
{
    char *text = NULL, name[512];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int rc;

    if (out == NULL)
        return error_set(err, EX_OSERR, "cannot allocate memory for %s", file);
    fill(template, words, n, out);
    snprintf(name, sizeof name, "%s/%s", folder, file);
    rc = fclose(out) != 0 ? error_set(err, EX_OSERR, "cannot allocate memory for %s", file)
                          : output_write(output, name, text, size, true, err);
    free(text);
    return rc;
}

/* "(1, 3, 32, 32), " for each input. */
static char *list_shapes(const struct graph *graph, struct error *err)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    for (size_t i = 0; i < graph->n_inputs && out != NULL; i++) {
        const struct shape *shape = &graph->values[graph->inputs[i]].shape;

        fputs(i > 0 ? ", (" : "(", out);
        for (size_t k = 0; k < shape->rank; k++)
            fprintf(out, "%lld, ", (long long)shape->dims[k]);
        fputc(')', out);
    }
    if (out != NULL && fclose(out) == 0)
        return text;
    free(text);
    error_set(err, EX_OSERR, "cannot allocate memory for the shapes of a network");
    return NULL;
}

/* As one word of a shell, whatever is in it. */
static char *quote(const char *name, struct error *err)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out != NULL)
        fputc('\'', out);
    for (const char *c = name; *c != '\0' && out != NULL; c++)
        fputs(*c == '\'' ? "'\\''" : (const char[]){*c, '\0'}, out);
    if (out != NULL)
        fputc('\'', out);
    if (out != NULL && fclose(out) == 0)
        return text;
    free(text);
    error_set(err, EX_OSERR, "cannot allocate memory for a name");
    return NULL;
}

static bool has_channel_scales(const struct plan *plan)
{
    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        if (plan->nodes[i].is_quantized && plan->nodes[i].n_weight_scales > 1)
            return true;
    return false;
}

int cambricon_write_scripts(const struct plan *plan, const struct emit_info *info, const char *folder,
                            struct output *output, struct error *err)
{
    char *shapes = list_shapes(plan->graph, err), *quoted = quote(info->model_name, err);
    const struct word words[] = {
        {"@NAME@", info->model_name},
        {"@BITS@", cambricon_bits(plan) == 8 ? "8" : "16"},
        {"@CHIP@", strstr(plan->profile->name, "mlu220") != NULL ? "MLU220" : "MLU270"},
        {"@PER_CHANNEL@", has_channel_scales(plan) ? "True" : "False"},
        {"@SHAPES@", shapes},
        {"@QUOTED_NAME@", quoted},
    };
    const size_t n = sizeof words / sizeof *words;
    int rc = shapes == NULL || quoted == NULL || write_filled(readme, words, n, folder, "README", output, err) != 0 ||
                     write_filled(genoff, words, n, folder, "genoff.py", output, err) != 0 ||
                     write_filled(build, words, n, folder, "build_offline.sh", output, err) != 0
                 ? -1
                 : 0;

    free(shapes);
    free(quoted);
    return rc;
}
