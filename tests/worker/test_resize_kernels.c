/* test_resize_kernels.c — the vector kernels of resizing against plain loops, on every instruction set of this machine.
 */
#include "worker/preprocess/resize_kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BITS = 22, TAPS = 5, IN = 40, OUT = 23, ROWS = 150 };

static uint32_t state = 1;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Some are negative, so that sums pass both ends of a byte; five stay below 2, so that none overflows. */
static void draw_weights(int32_t *weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        weight[i] = (int32_t)(draw() % (1 << (BITS - 1))) - (1 << (BITS - 3));
}

static void draw_bytes(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)draw();
}

static uint8_t clip(int64_t sum)
{
    sum = (sum + (1 << (BITS - 1))) >> BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void every_row_kernel_is_the_weighted_sum(void **unused)
{
    uint8_t from[TAPS * 200], to[200];
    int32_t weight[TAPS];

    (void)unused;
    for (size_t n = 1; n <= 200; n++)
        for (int isa = 0; isa < ISA_COUNT; isa++) {
            if (!isa_is_supported((enum isa)isa))
                continue;
            draw_bytes(from, sizeof from);
            draw_weights(weight, TAPS);
            row_find((enum isa)isa)(from, to, n, weight, TAPS, BITS);
            for (size_t i = 0; i < n; i++) {
                int64_t sum = 0;

                for (size_t k = 0; k < TAPS; k++)
                    sum += (int64_t)from[k * n + i] * weight[k];
                assert_int_equal(to[i], clip(sum));
            }
        }
}

static void every_column_kernel_is_the_weighted_sum(void **unused)
{
    uint8_t from[ROWS * IN * 3 + COLUMNS_READ_BEHIND], to[ROWS * OUT * 3];
    size_t first[OUT], count[OUT];
    int32_t weight[OUT * (TAPS + 1)];
    struct columns columns = {OUT, TAPS, first, count, weight, BITS};

    (void)unused;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        columns_kernel *kernel = isa_is_supported((enum isa)isa) ? columns_find((enum isa)isa) : NULL;

        for (int round = 0; kernel != NULL && round < 50; round++) {
            size_t n_rows = COLUMNS_ROWS + draw() % (ROWS - COLUMNS_ROWS + 1);

            columns.stride = TAPS + (size_t)round % 2; /* few taps may take another way than many */
            draw_bytes(from, sizeof from);
            draw_weights(weight, OUT * columns.stride);
            for (size_t x = 0; x < OUT; x++) {
                count[x] = 1 + draw() % TAPS;
                first[x] = draw() % (IN - count[x] + 1);
                memset(weight + x * columns.stride + count[x], 0, (columns.stride - count[x]) * sizeof *weight);
            }
            kernel(&columns, from, IN * 3, to, OUT * 3, n_rows);
            for (size_t i = 0; i < n_rows * OUT * 3; i++) {
                size_t row = i / (OUT * 3), x = i / 3 % OUT;
                int64_t sum = 0;

                for (size_t k = 0; k < count[x]; k++)
                    sum += (int64_t)from[(row * IN + first[x] + k) * 3 + i % 3] * weight[x * columns.stride + k];
                assert_int_equal(to[i], clip(sum));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_kernel_is_the_weighted_sum),
        cmocka_unit_test(every_column_kernel_is_the_weighted_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
