/* fuzz_cambricon.c — a prototxt for Cambricon's Caffe, then a NUL and a caffemodel. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_quantized("cambricon-mlu270", "input.prototxt", "input.caffemodel", data, size, err);
}
