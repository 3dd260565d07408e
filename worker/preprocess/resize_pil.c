/* resize_pil.c — filters with antialiasing, bit for bit as PIL's Image.resize.
 *
 * Target pixel i looks at the source around (i + 0.5) * in / out; when shrinking, the filter is widened by in / out,
 * so that every source pixel counts. Weights are computed in double precision and normalised. On uint8 they become
 * integers in units of 2^-22 (8 bits of pixel and the sum of weights leave 32 - 8 - 2), and each pass rounds to 8 bits:
 * columns first, then rows. On floats sums are kept in double precision, as in PIL's mode F. The golden arrays of
 * tests/worker/preprocess_golden.h come from PIL itself.
 */
#include "worker/preprocess/resize_kernels.h"
#include "worker/preprocess/steps.h"

#include "common/math.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 32 - 8 - 2 };

/* Target index i is the sum of weight[i * stride + k] * source[first[i] + k], k < count[i]. */
struct taps {
    size_t stride;
    size_t *first, *count;
    double *weight;
    int32_t *fixed; /* the same in 2^-22 */
};

static void taps_fini(struct taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
    free(taps->fixed);
}

/* ---- Filters, as functions of the distance in target pixels */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* The constants are single precision there. */
static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= M_PI;
    return math_sin(x) / x * ((double)0.54f + (double)0.46f * math_cos(x));
}

/* Keys' cubic convolution with a = -0.5. */
static double bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    return x < 1.0 ? ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0 : x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double sinc(double x)
{
    x *= M_PI;
    return x == 0.0 ? 1.0 : math_sin(x) / x;
}

static double lanczos(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

struct kernel {
    double (*weight)(double x);
    double support; /* 0 from there on */
};

static const struct kernel kernels[] = {
    [FILTER_BILINEAR] = {triangle, 1.0},   [FILTER_PIL_BOX] = {box, 0.5},         [FILTER_PIL_HAMMING] = {hamming, 1.0},
    [FILTER_PIL_BICUBIC] = {bicubic, 2.0}, [FILTER_PIL_LANCZOS] = {lanczos, 3.0},
};

/* ---- */

/* How `in` source pixels become `out`. */
struct mapping {
    const struct kernel *kernel;
    size_t in;
    double ratio, scale; /* of source to target pixels; the filter is widened by `scale`, at least 1 */
};

static struct mapping mapping_of(enum resize_filter filter, size_t in, size_t out)
{
    double ratio = (double)in / (double)out;

    return (struct mapping){&kernels[filter], in, ratio, ratio < 1.0 ? 1.0 : ratio};
}

static double center_of(const struct mapping *m, size_t target)
{
    return ((double)target + 0.5) * m->ratio;
}

/* The target looks at the source pixels [first, end); neither ever falls from one target to the next. */
struct reach {
    size_t first, end;
};

static struct reach reach_of(const struct mapping *m, size_t target)
{
    double support = m->kernel->support * m->scale;
    double low = center_of(m, target) - support + 0.5, high = center_of(m, target) + support + 0.5;

    return (struct reach){low < 0 ? 0 : (size_t)low, (size_t)high < m->in ? (size_t)high : m->in};
}

/* The weights of `target`, at index i. */
static void compute_tap(struct taps *taps, size_t i, const struct mapping *m, size_t target)
{
    struct reach reach = reach_of(m, target);
    size_t first = reach.first, end = reach.end;
    double center = center_of(m, target), sum = 0.0;
    double *weight = taps->weight + i * taps->stride, inverse = 1.0 / m->scale;

    taps->first[i] = first;
    taps->count[i] = end - first;
    for (size_t k = 0; k < end - first; k++) {
        weight[k] = m->kernel->weight(((double)(k + first) - center + 0.5) * inverse);
        sum += weight[k];
    }
    for (size_t k = 0; k < end - first; k++) {
        if (sum != 0.0)
            weight[k] /= sum;
        taps->fixed[i * taps->stride + k] = (int32_t)((weight[k] < 0 ? -0.5 : 0.5) + weight[k] * (1 << WEIGHT_BITS));
    }
}

/* Those of the targets [begin, begin + n) of `out`; index 0 is `begin`. */
static int taps_init(struct taps *taps, enum resize_filter filter, size_t in, size_t out, size_t begin, size_t n,
                     struct error *err)
{
    struct mapping mapping = mapping_of(filter, in, out);
    size_t n_weights;

    *taps = (struct taps){.stride = 2 * (size_t)ceil(mapping.kernel->support * mapping.scale) + 1};
    if (!size_multiply(taps->stride, n, &n_weights))
        return error_set(err, EX_DATAERR, "cannot be resized from %zu to %zu", in, out);
    if ((taps->first = memory_create(n, sizeof *taps->first, "resize weights", err)) == NULL ||
        (taps->count = memory_create(n, sizeof *taps->count, "resize weights", err)) == NULL ||
        (taps->weight = memory_create(n_weights, sizeof *taps->weight, "resize weights", err)) == NULL ||
        (taps->fixed = memory_create(n_weights, sizeof *taps->fixed, "resize weights", err)) == NULL) {
        taps_fini(taps);
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        compute_tap(taps, i, &mapping, begin + i);
    return 0;
}

/* Negative weights reach below 0, too. */
static uint8_t to_pixel(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum < 0 ? 0 : sum);
}

/* One row. The common case of three interleaved channels walks over the taps once, with a sum for each channel. */
static void columns_of_rgb(const uint8_t *from, uint8_t *to, size_t width, const struct taps *taps)
{
    for (size_t x = 0; x < width; x++, to += 3) {
        const uint8_t *source = from + 3 * taps->first[x];
        const int32_t *weight = taps->fixed + x * taps->stride;
        int32_t r = 1 << (WEIGHT_BITS - 1), g = r, b = r;

        for (size_t k = 0; k < taps->count[x]; k++, source += 3) {
            r += source[0] * weight[k];
            g += source[1] * weight[k];
            b += source[2] * weight[k];
        }
        to[0] = to_pixel(r);
        to[1] = to_pixel(g);
        to[2] = to_pixel(b);
    }
}

static void columns_of_bytes(const uint8_t *from, uint8_t *to, size_t width, size_t interleave, const struct taps *taps)
{
    for (size_t x = 0; x < width; x++) {
        const uint8_t *source = from + taps->first[x] * interleave;
        const int32_t *weight = taps->fixed + x * taps->stride;

        for (size_t c = 0; c < interleave; c++) {
            int32_t sum = 1 << (WEIGHT_BITS - 1);

            for (size_t k = 0; k < taps->count[x]; k++)
                sum += source[k * interleave + c] * weight[k];
            to[x * interleave + c] = to_pixel(sum);
        }
    }
}

static void columns_of_floats(const float *from, float *to, size_t width, size_t interleave, const struct taps *taps)
{
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < interleave; c++) {
            const double *weight = taps->weight + x * taps->stride;
            double sum = 0.0;

            for (size_t k = 0; k < taps->count[x]; k++)
                sum += (double)from[(taps->first[x] + k) * interleave + c] * weight[k];
            to[x * interleave + c] = (float)sum;
        }
}

/* The source rows [top, top + height) of RGB, several at once as far as bytes behind them may be read. Returns how
 * many are done. */
static size_t columns_of_rows(const struct picture *from, size_t top, size_t height, uint8_t *to, size_t width,
                              const struct taps *taps)
{
    const struct columns columns = {width, taps->stride, taps->first, taps->count, taps->fixed, WEIGHT_BITS};
    columns_kernel *kernel = columns_find(isa_best());
    const uint8_t *bytes = (const uint8_t *)from->data + top * from->width * 3;
    size_t n = height;

    while (n > 0 && (from->height - top - n) * from->width * 3 < COLUMNS_READ_BEHIND)
        n--;
    if (kernel == NULL || n < COLUMNS_ROWS)
        return 0;
    kernel(&columns, bytes, from->width * 3, to, width * 3, n);
    return n;
}

/* Brings rows to `width` pixels. Computes the window, whose rows are the source's. */
static int resize_columns(struct picture *picture, enum resize_filter filter, size_t width,
                          const struct rectangle *window, struct error *err)
{
    struct picture from = *picture;
    size_t n = window->width * from.interleave, y;
    struct taps taps;
    void *to = picture_renew(picture, from.planes, window->height, window->width, from.interleave, from.is_float, err);

    if (to == NULL || taps_init(&taps, filter, from.width, width, window->left, window->width, err) < 0)
        return -1;
    y = !from.is_float && from.interleave == 3
            ? columns_of_rows(&from, window->top, window->height, to, window->width, &taps)
            : 0;
    for (; y < from.planes * window->height; y++) {
        size_t row = y / window->height * from.height + window->top + y % window->height;
        size_t source = row * from.width * from.interleave, target = y * n;

        if (from.is_float)
            columns_of_floats((const float *)from.data + source, (float *)to + target, window->width, from.interleave,
                              &taps);
        else if (from.interleave == 3)
            columns_of_rgb((const uint8_t *)from.data + source, (uint8_t *)to + target, window->width, &taps);
        else
            columns_of_bytes((const uint8_t *)from.data + source, (uint8_t *)to + target, window->width,
                             from.interleave, &taps);
    }
    taps_fini(&taps);
    return 0;
}

static void row_of_floats(const float *from, float *to, size_t n, size_t y, const struct taps *taps)
{
    const double *weight = taps->weight + y * taps->stride;

    for (size_t x = 0; x < n; x++) {
        double sum = 0.0;

        for (size_t k = 0; k < taps->count[y]; k++)
            sum += (double)from[(taps->first[y] + k) * n + x] * weight[k];
        to[x] = (float)sum;
    }
}

/* Brings columns to `height` pixels, by taps that count from the picture's first row. */
static int resize_rows(struct picture *picture, size_t height, const struct taps *taps, struct error *err)
{
    struct picture from = *picture;
    size_t n = from.width * from.interleave;
    row_kernel *kernel = row_find(isa_best());
    void *to = picture_renew(picture, from.planes, height, from.width, from.interleave, from.is_float, err);

    if (to == NULL)
        return -1;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < height; y++)
            if (from.is_float)
                row_of_floats((const float *)from.data + p * from.height * n, (float *)to + (p * height + y) * n, n, y,
                              taps);
            else
                kernel((const uint8_t *)from.data + (p * from.height + taps->first[y]) * n,
                       (uint8_t *)to + (p * height + y) * n, n, taps->fixed + y * taps->stride, taps->count[y],
                       WEIGHT_BITS);
    return 0;
}

/* The source rows [*top, *top + *height) are all that the n taps look at, which from now on count from *top. */
static void confine(struct taps *taps, size_t n, size_t *top, size_t *height)
{
    *top = taps->first[0];
    *height = taps->first[n - 1] + taps->count[n - 1] - *top;
    for (size_t i = 0; i < n; i++)
        taps->first[i] -= *top;
}

/* The source pixels under the n targets from `begin` on. A side that keeps its size is not resized. */
static struct reach reach_of_run(enum resize_filter filter, size_t in, size_t out, size_t begin, size_t n)
{
    struct mapping mapping = mapping_of(filter, in, out);

    return in == out ? (struct reach){begin, begin + n}
                     : (struct reach){reach_of(&mapping, begin).first, reach_of(&mapping, begin + n - 1).end};
}

struct rectangle resize_pil_source(enum resize_filter filter, size_t in_height, size_t in_width, size_t height,
                                   size_t width, const struct rectangle *window)
{
    struct reach rows = reach_of_run(filter, in_height, height, window->top, window->height);
    struct reach columns = reach_of_run(filter, in_width, width, window->left, window->width);

    return (struct rectangle){rows.first, columns.first, rows.end - rows.first, columns.end - columns.first};
}

int resize_pil_window(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                      const struct rectangle *window, struct error *err)
{
    struct rectangle needed = *window; /* of the picture between the passes */
    struct taps rows = {0};
    int rc;

    /* A picture too large is so whatever is kept of it. */
    if (picture_check_size(picture_channels(picture), picture->height, width, err) < 0 ||
        picture_check_size(picture_channels(picture), height, width, err) < 0)
        return -1;
    if (height != picture->height) {
        if (taps_init(&rows, filter, picture->height, height, window->top, window->height, err) < 0)
            return -1;
        confine(&rows, window->height, &needed.top, &needed.height);
    }
    rc = width != picture->width ? resize_columns(picture, filter, width, &needed, err)
                                 : crop_window(picture, &needed, err);
    if (rc == 0 && rows.first != NULL)
        rc = resize_rows(picture, window->height, &rows, err);
    taps_fini(&rows);
    return rc;
}

int resize_pil(struct picture *picture, enum resize_filter filter, size_t height, size_t width, struct error *err)
{
    return resize_pil_window(picture, filter, height, width, &(struct rectangle){0, 0, height, width}, err);
}
