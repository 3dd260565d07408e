/* fuzz_caffe.c — a prototxt, then a NUL and a caffemodel. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_import("input.prototxt", "input.caffemodel", data, size, err);
}
