/* readme.c — the page that goes with the files; see ascend.h. */
#include "formats/ascend/ascend.h"

#include "formats/text_file.h"

#include <stdlib.h>

static const char page[] =
    "# What is here\n"
    "\n"
    "For Huawei Ascend, as its compression tool AMCT (TensorFlow edition) makes and takes it:\n"
    "\n"
    "- `<model>_folded.pb`: the network with normalisation folded into its layers, fp32. Biases are corrected for "
    "int8\n"
    "  where the job asked for that (`calibration.bias_correction`); with `none` it computes what the source does.\n"
    "- `record.txt`: scale and offset of each layer of it; of the source itself, too, where that is a TensorFlow "
    "graph\n"
    "  whose layers keep their names.\n"
    "- `<model>_quantized.pb`: the same network with AscendQuant, AscendWeightQuant and AscendDequant around the "
    "layers,\n"
    "  for accuracy simulation where the vendor's TensorFlow adapter is loaded, and for the compiler.\n"
    "- `<model>_quant.json`: which of its nodes were there before, for the vendor's comparison tool.\n"
    "- `config.json`: the tool's configuration, with the layers that are quantized.\n"
    "- `<model>_fake_quant.pb`: the quantized network in operators of stock TensorFlow (FakeQuantWithMinMaxVars), "
    "which\n"
    "  runs anywhere, for a look at accuracy; not for the compiler.\n"
    "- `onnx/<model>.onnx` and `onnx/record.txt`: the folded network and its record for the tool's ONNX edition.\n"
    "\n"
    "The safest way to the chip lets the vendor's tool make the quantized graph; in Python, in its environment:\n"
    "\n"
    "    import amct_tensorflow as amct\n"
    "    amct.convert_model(pb_model='<model>_folded.pb', outputs=[<outputs>], record_file='record.txt',\n"
    "                       save_path='out/<model>')\n"
    "\n"
    "Or compile ours:\n"
    "\n"
    "    atc --model=<model>_quantized.pb --framework=3 --soc_version=Ascend310 --output=<model>\n"
    "\n"
    "From a record, ours or the vendor's, without calibration:\n"
    "\n"
    "    etalon convert <model>_folded.pb --to ascend --record record.txt --output again\n"
    "\n"
    "Confirmed from public sources: names, attributes and arithmetic of the operators, the packing of deq_scale, the\n"
    "record's fields and rules, the configuration's keys. Best effort: `_quant.json` beyond what the comparison tool\n"
    "reads, the scope weight_quant, and where the bias is (BiasAdd follows AscendDequant, in float). No tool of the "
    "vendor\n"
    "has read these files.\n";

/* A node's name as a string of Python's: TensorFlow allows a backslash, but no quotes or line ends. */
static void print_name(FILE *out, const char *name)
{
    fputc('\'', out);
    for (; *name != '\0'; name++)
        fprintf(out, *name == '\\' ? "\\\\" : "%c", *name);
    fputc('\'', out);
}

/* The nodes of the folded graph that give its outputs, as a list of Python's; to be freed. */
static char *list_outputs(const struct tf_writer *w, struct error *err)
{
    struct printed list;

    if (printed_begin(&list, "a page", err) != 0)
        return NULL;
    for (size_t i = 0; i < w->graph->n_outputs; i++) {
        fputs(i == 0 ? "" : ", ", list.out);
        print_name(list.out, tf_output_name(w, i));
    }
    return printed_end(&list, NULL, err);
}

int ascend_write_readme(const struct tf_writer *w, const char *model, struct output *output, const char *folder,
                        struct error *err)
{
    char *list = list_outputs(w, err);
    int rc = list == NULL
                 ? -1
                 : text_file_write_readme(output, folder, page,
                                          (const struct text_mark[]){{"<model>", model}, {"<outputs>", list}}, 2, err);

    free(list);
    return rc;
}
