/* int_gemm.c — see int_gemm.h. A panel of up to 64 outputs at a time, in tiles of a few rows whose sums stay in
 * registers; K runs innermost, a unit at a time.
 */
#include "worker/int_gemm.h"

#include "common/isa.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MOST_VECTORS = INT_GEMM_PANEL / INT_GEMM_LANES, VECTOR_BYTES = INT_GEMM_LANES * INT_GEMM_UNIT };

static size_t lanes_of(size_t outputs, size_t panel)
{
    size_t left = outputs - panel * INT_GEMM_PANEL;

    return left >= INT_GEMM_PANEL ? INT_GEMM_PANEL : (left + INT_GEMM_LANES - 1) / INT_GEMM_LANES * INT_GEMM_LANES;
}

static char *panel_of(const struct int_weights *weights, size_t panel)
{
    return (char *)weights->packed + panel * INT_GEMM_PANEL * weights->units * INT_GEMM_UNIT;
}

/* One segment of one output, from unit `unit` on. */
static void pack_segment(const struct int_weights *weights, const int16_t *w, size_t items, size_t output, size_t unit)
{
    size_t panel = output / INT_GEMM_PANEL, lanes = lanes_of(weights->outputs, panel);
    char *lane = panel_of(weights, panel) + output % INT_GEMM_PANEL * INT_GEMM_UNIT;

    for (size_t i = 0; i < items; i++) {
        size_t in_unit = weights->are_bytes ? 4 : 2;
        char *at = lane + (unit + i / in_unit) * lanes * INT_GEMM_UNIT;

        if (weights->are_bytes)
            ((int8_t *)at)[i % in_unit] = (int8_t)w[i];
        else
            ((int16_t *)at)[i % in_unit] = w[i];
    }
}

int int_weights_init(struct int_weights *weights, const int16_t *w, size_t outputs, size_t segments, size_t items,
                     bool are_bytes, struct error *err)
{
    size_t units = int_gemm_units(items, are_bytes), panels;

    *weights = (struct int_weights){outputs, segments * units, are_bytes, NULL};
    panels = int_weights_panels(weights);
    weights->packed = memory_create(((panels - 1) * INT_GEMM_PANEL + lanes_of(outputs, panels - 1)) * segments,
                                    units * INT_GEMM_UNIT, "packed weights", err);
    if (weights->packed == NULL)
        return -1;
    for (size_t o = 0; o < outputs; o++)
        for (size_t s = 0; s < segments; s++)
            pack_segment(weights, w + (o * segments + s) * items, items, o, s * units);
    return 0;
}

void int_weights_fini(struct int_weights *weights)
{
    free(weights->packed);
    *weights = (struct int_weights){0};
}

/* All rows by one panel: w is where its first unit to be used lies. */
typedef void panel_fn(const struct int_rows *rows, const char *w, size_t vectors, int32_t *sums);

/* The products of one unit. */
static uint32_t multiply_words(const char *a, const char *w)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < 2; i++)
        sum += (uint32_t)(((const int16_t *)a)[i] * ((const int16_t *)w)[i]);
    return sum;
}

static uint32_t multiply_bytes(const char *a, const char *w)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < 4; i++)
        sum += (uint32_t)(((const uint8_t *)a)[i] * ((const int8_t *)w)[i]);
    return sum;
}

static inline void plain_panel(const struct int_rows *r, const char *w, size_t lanes, int32_t *sums,
                               uint32_t (*multiply)(const char *a, const char *w))
{
    for (size_t i = 0; i < r->n; i++) {
        uint32_t sum[INT_GEMM_PANEL] = {0};
        const char *unit = w;

        for (size_t s = 0; s < r->segments; s++)
            for (size_t u = 0; u < r->units; u++, unit += lanes * INT_GEMM_UNIT)
                for (size_t o = 0; o < lanes; o++)
                    sum[o] +=
                        multiply(r->base + r->at[i] + s * r->stride + u * INT_GEMM_UNIT, unit + o * INT_GEMM_UNIT);
        memcpy(sums + i * INT_GEMM_PANEL, sum, lanes * sizeof *sum);
    }
}

static void words_reference(const struct int_rows *r, const char *w, size_t vectors, int32_t *sums)
{
    plain_panel(r, w, vectors * INT_GEMM_LANES, sums, multiply_words);
}

static void bytes_reference(const struct int_rows *r, const char *w, size_t vectors, int32_t *sums)
{
    plain_panel(r, w, vectors * INT_GEMM_LANES, sums, multiply_bytes);
}

#if defined(__x86_64__)
enum { MOST_ROWS = 8 };

static inline int32_t load_unit(const char *at)
{
    int32_t unit;

    memcpy(&unit, at, sizeof unit);
    return unit;
}

#define NAME(x)                         x##_words_avx512
#define TARGET                          __attribute__((target("avx512f,avx512bw")))
#define ADD_PRODUCTS(sum, row, weights) _mm512_add_epi32(sum, _mm512_madd_epi16(row, weights))
#include "worker/int_gemm_avx512.h"
#undef NAME
#undef TARGET
#undef ADD_PRODUCTS

#define NAME(x)                         x##_words_vnni
#define TARGET                          __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define ADD_PRODUCTS(sum, row, weights) _mm512_dpwssd_epi32(sum, row, weights)
#include "worker/int_gemm_avx512.h"
#undef NAME
#undef ADD_PRODUCTS

#define NAME(x)                         x##_bytes_vnni
#define ADD_PRODUCTS(sum, row, weights) _mm512_dpbusd_epi32(sum, row, weights)
#include "worker/int_gemm_avx512.h"
#undef NAME
#undef TARGET
#undef ADD_PRODUCTS

/* `rows` x 16 outputs: 6 x 2 accumulators, 2 weights, a row and a product are all 16 registers. */
__attribute__((target("avx2"), always_inline)) static inline void
tile_avx2(const struct int_rows *r, size_t first, size_t rows, const char *w, size_t w_stride, int32_t *sums)
{
    __m256i sum[MOST_ROWS][2];
    const char *at[MOST_ROWS];

    for (size_t i = 0; i < rows; i++) {
        at[i] = r->base + r->at[first + i];
        sum[i][0] = sum[i][1] = _mm256_setzero_si256();
    }
    for (size_t s = 0; s < r->segments; s++) {
        for (size_t u = 0; u < r->units; u++, w += w_stride) {
            __m256i low = _mm256_loadu_si256((const __m256i *)w), high = _mm256_loadu_si256((const __m256i *)w + 1);

            for (size_t i = 0; i < rows; i++) {
                __m256i row = _mm256_set1_epi32(load_unit(at[i] + u * INT_GEMM_UNIT));

                sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(low, row));
                sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(high, row));
            }
        }
        for (size_t i = 0; i < rows; i++)
            at[i] += r->stride;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < 2; v++)
            _mm256_storeu_si256((__m256i *)(sums + (first + i) * INT_GEMM_PANEL) + v, sum[i][v]);
}

__attribute__((target("avx2"))) static void words_avx2(const struct int_rows *r, const char *w, size_t vectors,
                                                       int32_t *sums)
{
    const size_t rows = 6;

    for (size_t v = 0; v < vectors; v++, w += VECTOR_BYTES, sums += INT_GEMM_LANES) {
        size_t i = 0;

        for (; i + rows <= r->n; i += rows)
            tile_avx2(r, i, 6, w, vectors * VECTOR_BYTES, sums);
        for (; i < r->n; i++)
            tile_avx2(r, i, 1, w, vectors * VECTOR_BYTES, sums);
    }
}
#endif

static panel_fn *choose(bool are_bytes)
{
#if defined(__x86_64__)
    if (isa_has_vnni())
        return are_bytes ? panel_bytes_vnni : panel_words_vnni;
    if (!are_bytes && isa_best() == ISA_AVX512)
        return panel_words_avx512;
    if (!are_bytes && isa_best() == ISA_AVX2)
        return words_avx2;
#endif
    return are_bytes ? bytes_reference : words_reference;
}

static void run_panel(panel_fn *fn, const struct int_rows *rows, const struct int_weights *weights, size_t panel,
                      size_t first_unit, int32_t *sums)
{
    size_t lanes = lanes_of(weights->outputs, panel);

    fn(rows, panel_of(weights, panel) + first_unit * lanes * INT_GEMM_UNIT, lanes / INT_GEMM_LANES, sums);
}

void int_gemm(const struct int_rows *rows, const struct int_weights *weights, size_t panel, size_t first_unit,
              int32_t *sums)
{
    run_panel(choose(weights->are_bytes), rows, weights, panel, first_unit, sums);
}

void int_gemm_reference(const struct int_rows *rows, const struct int_weights *weights, size_t panel, size_t first_unit,
                        int32_t *sums)
{
    run_panel(weights->are_bytes ? bytes_reference : words_reference, rows, weights, panel, first_unit, sums);
}

bool int_gemm_prefers_bytes(void)
{
    return isa_has_vnni();
}
