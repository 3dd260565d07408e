/* fuzz_cambricon_pth.c — a network as a text GraphDef, then a NUL and the checkpoint that Cambricon's tools have for
 * it. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_quantized("cambricon-mlu270", "input.pbtxt", "input.pth", data, size, err);
}
