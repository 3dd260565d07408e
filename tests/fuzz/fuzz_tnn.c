/* fuzz_tnn.c — a tnnproto, then a NUL and a tnnmodel. */
#include "fuzz.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    return fuzz_import("input.tnnproto", "input.tnnmodel", data, size, err);
}
