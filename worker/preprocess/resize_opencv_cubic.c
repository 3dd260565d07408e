/* resize_opencv_cubic.c — four taps of Keys' cubic convolution (a = -0.75) around the half-pixel position, as OpenCV's
 * INTER_CUBIC: no antialiasing. On bytes weights are whole in 2^-11 and a row's sums exact; the sum of the four rows is
 * taken as OpenCV does on x86: in single precision and rounded half to even where its vectors of eight reach, in
 * integers and rounded half up in the up to seven last values of an interleaved row.
 */
#include "worker/preprocess/steps.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 11, VECTOR = 8 };

struct tap {
    size_t source[4]; /* clipped to the picture */
    float weight[4];
    int32_t fixed[4]; /* in 2^-11 */
};

static void weigh(float x, float weight[4])
{
    const float a = -0.75f;

    weight[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
    weight[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    weight[2] = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
    weight[3] = 1.0f - weight[0] - weight[1] - weight[2];
}

static struct tap *create_taps(size_t in, size_t out, struct error *err)
{
    struct tap *taps = memory_create(out, sizeof *taps, "resize weights", err);
    double ratio = 1.0 / ((double)out / (double)in);

    for (size_t i = 0; taps != NULL && i < out; i++) {
        float position = (float)(((double)i + 0.5) * ratio - 0.5), whole = floorf(position);

        weigh(position - whole, taps[i].weight);
        for (int k = 0; k < 4; k++) {
            int64_t source = (int64_t)whole - 1 + k;

            taps[i].source[k] = source < 0 ? 0 : source >= (int64_t)in ? in - 1 : (size_t)source;
            taps[i].fixed[k] = (int32_t)rintf(taps[i].weight[k] * (1 << WEIGHT_BITS)); /* half to even */
        }
    }
    return taps;
}

/* One value of a target row of bytes; `rows` are the four source rows. */
static uint8_t byte_at(const uint8_t *const rows[4], size_t n, size_t c, const struct tap *row,
                       const struct tap *column, bool is_in_vector)
{
    float part[4], sum;
    int64_t whole = 1 << (2 * WEIGHT_BITS - 1);

    for (int j = 0; j < 4; j++) {
        int32_t exact = 0;

        for (int k = 0; k < 4; k++)
            exact += rows[j][column->source[k] * n + c] * column->fixed[k];
        part[j] = (float)exact * ((float)row->fixed[j] * 0x1p-22f);
        whole += (int64_t)exact * row->fixed[j];
    }
    sum = is_in_vector ? rintf(part[0] + (part[1] + (part[2] + part[3]))) : (float)(whole >> (2 * WEIGHT_BITS));
    return (uint8_t)fminf(fmaxf(sum, 0), 255);
}

static float float_at(const float *const rows[4], size_t n, size_t c, const struct tap *row, const struct tap *column)
{
    float part[4];

    for (int j = 0; j < 4; j++) {
        part[j] = 0;
        for (int k = 0; k < 4; k++)
            part[j] += rows[j][column->source[k] * n + c] * column->weight[k];
        part[j] *= row->weight[j];
    }
    return part[0] + (part[1] + (part[2] + part[3]));
}

static void resize_plane(const struct picture *from, const struct picture *to, void *out, size_t plane,
                         const struct tap *rows, const struct tap *columns)
{
    size_t n = from->interleave, channels = picture_channels(from), end = to->width * channels / VECTOR * VECTOR;
    size_t stride = from->width * n, index = plane * to->height * to->width * n;
    const uint8_t *bytes = (const uint8_t *)from->data + plane * from->height * stride;
    const float *floats = (const float *)from->data + plane * from->height * stride;

    for (size_t y = 0; y < to->height; y++) {
        const uint8_t *byte_rows[4];
        const float *float_rows[4];

        for (int k = 0; k < 4; k++) {
            byte_rows[k] = bytes + rows[y].source[k] * stride;
            float_rows[k] = floats + rows[y].source[k] * stride;
        }
        for (size_t x = 0; x < to->width * n; x++, index++)
            if (from->is_float)
                ((float *)out)[index] = float_at(float_rows, n, x % n, &rows[y], &columns[x / n]);
            else
                ((uint8_t *)out)[index] =
                    byte_at(byte_rows, n, x % n, &rows[y], &columns[x / n], x / n * channels + plane + x % n < end);
    }
}

int resize_opencv_cubic(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                        struct error *err)
{
    struct picture from = *picture;
    struct tap *rows = create_taps(from.height, height, err);
    struct tap *columns = rows == NULL ? NULL : create_taps(from.width, width, err);
    void *to = columns == NULL
                   ? NULL
                   : picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);

    (void)filter;
    for (size_t p = 0; to != NULL && p < from.planes; p++)
        resize_plane(&from, picture, to, p, rows, columns);
    free(rows);
    free(columns);
    return to == NULL ? -1 : 0;
}
