/* test_element_type.c — numbers as files hold them. */
#include "formats/element_type.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_type_decodes_its_extremes(void **state)
{
    static const struct {
        const char *type;
        uint64_t bits;
        int64_t integer; /* of integral types */
        float real;
    } cases[] = {
        {"uint8", 0xff, 255, 255},
        {"int8", 0x80, -128, -128},
        {"bool", 1, 1, 1},
        {"uint16", 0xffff, 65535, 65535},
        {"int16", 0x8000, -32768, -32768},
        {"uint32", 0xffffffff, 4294967295, 0x1p32f},
        {"int32", 0x80000000, INT32_MIN, -0x1p31f},
        {"uint64", UINT64_MAX, -1, 0x1p64f}, /* beyond int64: wraps, as everywhere in C */
        {"int64", UINT64_C(1) << 63, INT64_MIN, -0x1p63f},
        {"float32", 0x00000001, 0, 0x1p-149f},
        {"float64", 0x3ff0000010000000, 0, 1}, /* half of float32's last bit: to even */
        {"float64", 0x7ff0000000000000, 0, INFINITY},
        {"float16", 0x0001, 0, 0x1p-24f},
        {"float16", 0xfbff, 0, -65504},
        {"float16", 0x7c00, 0, INFINITY},
        {"bfloat16", 0xff7f, 0, -0x1.fep127f},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct element_type *type = element_type_named(cases[i].type);
        struct element_run run = {&cases[i].bits, 1, 8};
        int64_t integer;
        float real;

        assert_non_null(type);
        assert_true(element_real(type, cases[i].bits) == cases[i].real);
        if (element_type_decoded(type) == DTYPE_INT64) {
            assert_int_equal(elements_decode(type, &run, &integer, NULL), 0);
            assert_int_equal(integer, cases[i].integer);
        } else {
            assert_int_equal(elements_decode(type, &run, &real, NULL), 0);
            assert_true(real == cases[i].real);
        }
    }
    assert_true(isnan(element_real(element_type_named("float16"), 0x7e01)));
    assert_null(element_type_named("string"));
}

static void elements_need_neither_alignment_nor_neighbours(void **state)
{
    static const float floats[] = {1.5f, -2, 0.25f};
    uint8_t bytes[1 + 3 * 6] = {0};
    float decoded[3];

    (void)state;
    for (size_t stride = 4; stride <= 6; stride += 2) {
        struct element_run run = {bytes + 1, 3, stride};

        for (size_t i = 0; i < 3; i++)
            memcpy(bytes + 1 + i * stride, &floats[i], sizeof *floats);
        assert_int_equal(elements_decode(element_type_named("float32"), &run, decoded, NULL), 0);
        assert_memory_equal(decoded, floats, sizeof floats);
    }
    assert_int_equal(elements_decode(element_type_named("float32"), &(struct element_run){0}, decoded, NULL), 0);
}

static void a_number_beyond_float32_is_refused(void **state)
{
    static const double wide[] = {1, -1e39};
    struct element_run run = {wide, 2, sizeof *wide};
    struct error err = {0};
    float decoded[2];

    (void)state;
    assert_int_equal(elements_decode(element_type_named("float64"), &run, decoded, &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_string_equal(err.text, "element 1, -1e+39, lies beyond float32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_decodes_its_extremes),
        cmocka_unit_test(elements_need_neither_alignment_nor_neighbours),
        cmocka_unit_test(a_number_beyond_float32_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
