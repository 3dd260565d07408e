/* fuzz_tensorflow.c — frozen TensorFlow graphs. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_import("input.pb", NULL, data, size, err);
}
