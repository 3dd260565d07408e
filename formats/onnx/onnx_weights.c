/* onnx_weights.c — parameters from a PyTorch checkpoint instead of the file's own; see onnx_import.h. */
#include "formats/onnx/onnx_import.h"

#include <string.h>

/* Operators whose real-valued constants are what training has found. */
static bool has_parameters(const char *type)
{
    static const char *const types[] = {"Conv",  "ConvTranspose",      "Gemm", "MatMul", "BatchNormalization",
                                        "PRelu", "LayerNormalization", NULL};

    for (size_t i = 0; types[i] != NULL; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

int onnx_weights_replace(struct onnx_import *in, const char *name, const char *reader, struct tensor *tensor,
                         struct error *err)
{
    const float *values;

    if (in->weights == NULL || tensor->dtype != DTYPE_FLOAT32)
        return 0;
    if (!torch_weights_has(in->weights, name) && !has_parameters(reader))
        return 0;
    if (torch_weights_read(in->weights, name, &tensor->shape, in->graph->arena, &values, err) != 0)
        return -1;
    tensor->data = values;
    return 0;
}
