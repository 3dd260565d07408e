/* readme.c — the page that goes with the files; see ascend.h. */
#include "formats/ascend/ascend.h"

#include <stdlib.h>
#include <string.h>

/* %s: the model's name. */
static const char page[] =
    "Models for Huawei Ascend, as its compression tool AMCT (TensorFlow edition) makes them. NAME is\n"
    "%s.\n"
    "\n"
    "NAME_folded.pb      The network with normalisation folded into its layers, fp32. Biases are corrected for int8\n"
    "    where the job asked for that (calibration.bias_correction); with `none` it computes what the source does.\n"
    "record.txt          Scale and offset of each layer of NAME_folded.pb (of the source itself, too, where that is a\n"
    "    TensorFlow graph and the layers keep their names).\n"
    "NAME_quantized.pb   The same network with AscendQuant, AscendWeightQuant and AscendDequant around the layers: "
    "for\n"
    "    accuracy simulation where the vendor's TensorFlow adapter is loaded, and for the compiler.\n"
    "NAME_quant.json     Which nodes were there before: for the vendor's comparison tool.\n"
    "config.json         Quantization configuration: the layers that are quantized.\n"
    "NAME_fake_quant.pb  The quantized network in operators of stock TensorFlow (FakeQuantWithMinMaxVars): runs\n"
    "    anywhere, for a look at accuracy; not for the compiler.\n"
    "\n"
    "The safest way to the chip lets the vendor's tool make the quantized graph; in Python, in its environment:\n"
    "\n"
    "    import amct_tensorflow as amct\n"
    "    amct.convert_model(pb_model='NAME_folded.pb', outputs=[...], record_file='record.txt', save_path='out/NAME')\n"
    "\n"
    "Or compile ours:\n"
    "\n"
    "    atc --model=NAME_quantized.pb --framework=3 --soc_version=Ascend310 --output=NAME \\\n"
    "        --input_shape='data:1,224,224,3'\n"
    "\n"
    "From a record, ours or the vendor's, without calibration:\n"
    "\n"
    "    etalon convert NAME_folded.pb --to ascend --record record.txt --output again\n"
    "\n"
    "Confirmed by public sources: names, attributes and arithmetic of the operators, the packing of deq_scale, the\n"
    "record's fields and rules, the configuration's keys. Best effort: NAME_quant.json beyond what the comparison "
    "tool\n"
    "reads, the scope weight_quant, and where the bias is (here BiasAdd follows AscendDequant, in float). The files\n"
    "conform to these sources; the vendor's tools have not read them.\n";

int ascend_write_readme(const char *model_name, struct output *output, const char *name, struct error *err)
{
    struct arena *arena = arena_create(err);
    char *text = arena == NULL ? NULL : arena_format(arena, err, page, model_name);
    int rc = text == NULL ? -1 : output_write(output, name, text, strlen(text), true, err);

    arena_destroy(arena);
    return rc;
}
