/* int_gemm_avx512.h — the tiles of int_gemm.c for one instruction that multiplies and adds: included once for each.
 *
 * NAME(x) makes the names, TARGET says what the processor has, ADD_PRODUCTS(sum, row, weights) adds the products of one
 * unit in each of 16 lanes.
 */

/* `rows` and `vectors` are constants at every call, so loops unroll and the accumulators live in registers. */
TARGET __attribute__((always_inline)) static inline void NAME(tile)(const struct int_rows *r, size_t first, size_t rows,
                                                                    const char *w, size_t vectors, int32_t *sums)
{
    __m512i sum[MOST_ROWS][MOST_VECTORS];
    const char *at[MOST_ROWS];

    for (size_t i = 0; i < rows; i++) {
        at[i] = r->base + r->at[first + i];
        for (size_t v = 0; v < vectors; v++)
            sum[i][v] = _mm512_setzero_si512();
    }
    for (size_t s = 0; s < r->segments; s++) {
        for (size_t u = 0; u < r->units; u++, w += vectors * VECTOR_BYTES) {
            __m512i weights[MOST_VECTORS];

            for (size_t v = 0; v < vectors; v++)
                weights[v] = _mm512_loadu_si512(w + v * VECTOR_BYTES);
            for (size_t i = 0; i < rows; i++) {
                __m512i row = _mm512_set1_epi32(load_unit(at[i] + u * INT_GEMM_UNIT));

                for (size_t v = 0; v < vectors; v++)
                    sum[i][v] = ADD_PRODUCTS(sum[i][v], row, weights[v]);
            }
        }
        for (size_t i = 0; i < rows; i++)
            at[i] += r->stride;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < vectors; v++)
            _mm512_storeu_si512(sums + (first + i) * INT_GEMM_PANEL + v * INT_GEMM_LANES, sum[i][v]);
}

/* The last tile overlaps the one before it: sums written twice are the same twice. */
TARGET __attribute__((always_inline)) static inline void NAME(tiles)(const struct int_rows *r, size_t rows,
                                                                     const char *w, size_t vectors, int32_t *sums)
{
    if (r->n < rows) {
        for (size_t i = 0; i < r->n; i++)
            NAME(tile)(r, i, 1, w, vectors, sums);
        return;
    }
    for (size_t i = 0; i < r->n; i += rows)
        NAME(tile)(r, i + rows <= r->n ? i : r->n - rows, rows, w, vectors, sums);
}

/* 6 x 4 accumulators, 4 weights and a row are 29 of the 32 registers; with fewer vectors 8 rows hide the latency. */
TARGET static void NAME(panel)(const struct int_rows *r, const char *w, size_t vectors, int32_t *sums)
{
    switch (vectors) {
    case 4:
        NAME(tiles)(r, 6, w, 4, sums);
        break;
    case 3:
        NAME(tiles)(r, 8, w, 3, sums);
        break;
    case 2:
        NAME(tiles)(r, 8, w, 2, sums);
        break;
    default:
        NAME(tiles)(r, 8, w, 1, sums);
    }
}
