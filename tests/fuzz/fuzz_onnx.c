/* fuzz_onnx.c — ONNX models. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_import("input.onnx", NULL, data, size, err);
}
