/* fuzz_tensorflow_text.c — frozen TensorFlow graphs in protobuf's text format. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_import("input.pbtxt", NULL, data, size, err);
}
