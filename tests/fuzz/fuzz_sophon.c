/* fuzz_sophon.c — a prototxt of SOPHON's, then a NUL and an int8umodel. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_quantized("sophon-bm1684", "input.prototxt", "input.int8umodel", data, size, err);
}
