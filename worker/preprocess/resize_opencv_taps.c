/* resize_opencv_taps.c — OpenCV's filters of several taps around the half-pixel position, without antialiasing:
 * INTER_CUBIC, four taps of Keys' cubic convolution (a = -0.75), and INTER_LANCZOS4, eight of sinc(x) sinc(x / 4),
 * normalised. On bytes weights are whole in 2^-11 and a row's sums exact. The sum of the rows is exact, too, and
 * rounded half up; but for the cubic, as OpenCV does it on x86, in single precision and rounded half to even where its
 * vectors of eight reach, which leave up to seven last values of an interleaved row.
 */
#include "worker/preprocess/steps.h"

#include "common/math.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 11, VECTOR = 8, MAX_TAPS = 8 };

struct tap {
    size_t source[MAX_TAPS]; /* clipped to the picture */
    float weight[MAX_TAPS];
    int32_t fixed[MAX_TAPS]; /* in 2^-11 */
};

/* Of a position x behind the middle pixel, 0 <= x < 1. */
static void weigh_cubic(float x, float *weight)
{
    const float a = -0.75f;

    weight[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
    weight[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    weight[2] = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
    weight[3] = 1.0f - weight[0] - weight[1] - weight[2];
}

/* sin(pi y) sin(pi y / 4) / (pi y / 2)^2 at y = x + 3 - k: the first factor only changes its sign from tap to tap, so
 * that scaling the sum to 1 takes its size away, and of the second the tables below have the angles of k. */
static void weigh_lanczos4(float x, float *weight)
{
    static const double half = 0.70710678118654752440, /* of a right angle: its sine */
        of_sine[] = {1, -half, 0, half, -1, half, 0, -half}, of_cosine[] = {0, -half, 1, -half, 0, half, -1, half};
    double angle = -((double)x + 3) * M_PI * 0.25, sine = math_sin(angle), cosine = math_cos(angle);
    float sum = 0;

    for (int k = 0; k < 8; k++) {
        float distance = x + 3 - (float)k;
        double y = -(double)distance * M_PI * 0.25;

        weight[k] = fabsf(distance) < 1e-6f ? 1e30f /* the pixel itself: all others vanish beside it */
                                            : (float)((of_sine[k] * sine + of_cosine[k] * cosine) / (y * y));
        sum += weight[k];
    }
    sum = 1.0f / sum;
    for (int k = 0; k < 8; k++)
        weight[k] *= sum;
}

struct filter {
    int n; /* taps, the middle one of which is the pixel at or before the position */
    void (*weigh)(float x, float *weight);
    bool has_vectors;
};

static const struct filter cubic = {4, weigh_cubic, true}, lanczos4 = {8, weigh_lanczos4, false};

static struct tap *create_taps(const struct filter *filter, size_t in, size_t out, struct error *err)
{
    struct tap *taps = memory_create(out, sizeof *taps, "resize weights", err);
    double ratio = 1.0 / ((double)out / (double)in);

    for (size_t i = 0; taps != NULL && i < out; i++) {
        float position = (float)(((double)i + 0.5) * ratio - 0.5), whole = floorf(position);

        filter->weigh(position - whole, taps[i].weight);
        for (int k = 0; k < filter->n; k++) {
            int64_t source = (int64_t)whole - (filter->n / 2 - 1) + k;

            taps[i].source[k] = source < 0 ? 0 : source >= (int64_t)in ? in - 1 : (size_t)source;
            taps[i].fixed[k] = (int32_t)rintf(taps[i].weight[k] * (1 << WEIGHT_BITS)); /* half to even */
        }
    }
    return taps;
}

/* One value of a target row of bytes; `rows` are the source rows. */
static uint8_t byte_at(const uint8_t *const *rows, int n_taps, size_t n, size_t c, const struct tap *row,
                       const struct tap *column, bool is_in_vector)
{
    float part[MAX_TAPS], sum;
    int64_t whole = 1 << (2 * WEIGHT_BITS - 1);

    for (int j = 0; j < n_taps; j++) {
        int32_t exact = 0;

        for (int k = 0; k < n_taps; k++)
            exact += rows[j][column->source[k] * n + c] * column->fixed[k];
        part[j] = (float)exact * ((float)row->fixed[j] * 0x1p-22f);
        whole += (int64_t)exact * row->fixed[j];
    }
    sum = is_in_vector ? rintf(part[0] + (part[1] + (part[2] + part[3]))) : (float)(whole >> (2 * WEIGHT_BITS));
    return (uint8_t)fminf(fmaxf(sum, 0), 255);
}

static float float_at(const float *const *rows, int n_taps, size_t n, size_t c, const struct tap *row,
                      const struct tap *column)
{
    float sum = 0;

    for (int j = n_taps - 1; j >= 0; j--) {
        float part = 0;

        for (int k = 0; k < n_taps; k++)
            part += rows[j][column->source[k] * n + c] * column->weight[k];
        sum = part * row->weight[j] + sum;
    }
    return sum;
}

static void resize_plane(const struct filter *filter, const struct picture *from, const struct picture *to, void *out,
                         size_t plane, const struct tap *rows, const struct tap *columns)
{
    size_t n = from->interleave, channels = picture_channels(from);
    size_t end = filter->has_vectors ? to->width * channels / VECTOR * VECTOR : 0;
    size_t stride = from->width * n, index = plane * to->height * to->width * n;
    const uint8_t *bytes = (const uint8_t *)from->data + plane * from->height * stride;
    const float *floats = (const float *)from->data + plane * from->height * stride;

    for (size_t y = 0; y < to->height; y++) {
        const uint8_t *byte_rows[MAX_TAPS];
        const float *float_rows[MAX_TAPS];

        for (int k = 0; k < filter->n; k++) {
            byte_rows[k] = bytes + rows[y].source[k] * stride;
            float_rows[k] = floats + rows[y].source[k] * stride;
        }
        for (size_t x = 0; x < to->width * n; x++, index++)
            if (from->is_float)
                ((float *)out)[index] = float_at(float_rows, filter->n, n, x % n, &rows[y], &columns[x / n]);
            else
                ((uint8_t *)out)[index] = byte_at(byte_rows, filter->n, n, x % n, &rows[y], &columns[x / n],
                                                  x / n * channels + plane + x % n < end);
    }
}

int resize_opencv_taps(struct picture *picture, enum resize_filter name, size_t height, size_t width, struct error *err)
{
    const struct filter *filter = name == FILTER_OPENCV_LANCZOS4 ? &lanczos4 : &cubic;
    struct picture from = *picture;
    struct tap *rows = create_taps(filter, from.height, height, err);
    struct tap *columns = rows == NULL ? NULL : create_taps(filter, from.width, width, err);
    void *to = columns == NULL
                   ? NULL
                   : picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);

    for (size_t p = 0; to != NULL && p < from.planes; p++)
        resize_plane(filter, &from, picture, to, p, rows, columns);
    free(rows);
    free(columns);
    return to == NULL ? -1 : 0;
}
