/* layers_constant.c — layers whose top does not depend on the image: PriorBox and Parameter. */
#include "formats/caffe/build.h"

#include <math.h>
#include <string.h>

/* ---- PriorBox (SSD): boxes around the centres of a grid, and their variances (prior_box_layer.cpp of the branch) */

enum { COORDINATES = 4, MAX_RATIOS = 64, MAX_SIZES = 64 };

struct prior {
    int64_t rows, columns;                              /* of the grid: the first bottom */
    double image_h, image_w;                            /* pixels */
    float step_h, step_w, offset;                       /* pixels; cells */
    size_t n_sizes, n_ratios;                           /* ratios[0] is 1 */
    int32_t min_sizes[MAX_SIZES], max_sizes[MAX_SIZES]; /* the reference keeps integers of them */
    bool has_max_sizes;
    float ratios[MAX_RATIOS];
};

static size_t priors_per_cell(const struct prior *prior)
{
    return prior->n_ratios * prior->n_sizes + (prior->has_max_sizes ? prior->n_sizes : 0);
}

static int read_sizes(const struct caffe_layer *layer, const Caffe__PriorBoxParameter *param, struct prior *prior,
                      struct error *err)
{
    if (param->n_min_size == 0 || param->n_min_size > MAX_SIZES ||
        (param->n_max_size > 0 && param->n_max_size != param->n_min_size))
        return caffe_error(layer, err, EX_DATAERR,
                           "expected 1 to %d min_size and as many max_size or none, found %zu and %zu", MAX_SIZES,
                           param->n_min_size, param->n_max_size);
    prior->n_sizes = param->n_min_size;
    prior->has_max_sizes = param->n_max_size > 0;
    for (size_t i = 0; i < prior->n_sizes; i++) {
        float min = param->min_size[i], max = prior->has_max_sizes ? param->max_size[i] : 0;

        if (!(min > 0 && min < 0x1p15f) || (prior->has_max_sizes && !(max > min && max < 0x1p15f)))
            return caffe_error(layer, err, EX_DATAERR, "expected 0 < min_size < max_size < 32768, found %g and %g",
                               (double)min, (double)max);
        prior->min_sizes[i] = (int32_t)min;
        prior->max_sizes[i] = (int32_t)max;
    }
    return 0;
}

/* 1, then each listed ratio that is new, followed by its inverse where `flip`. */
static int read_ratios(const struct caffe_layer *layer, const Caffe__PriorBoxParameter *param, struct prior *prior,
                       struct error *err)
{
    prior->ratios[0] = 1;
    prior->n_ratios = 1;
    for (size_t i = 0; i < param->n_aspect_ratio; i++) {
        float ratio = param->aspect_ratio[i];
        bool is_new = true;

        if (!(ratio > 0) || isinf(ratio) || prior->n_ratios + 2 > MAX_RATIOS)
            return caffe_error(layer, err, EX_DATAERR, "expected fewer than %d positive aspect ratios, found %g",
                               MAX_RATIOS / 2, (double)ratio);
        for (size_t k = 0; k < prior->n_ratios; k++)
            is_new = is_new && !(fabs((double)ratio - (double)prior->ratios[k]) < 1e-6);
        if (!is_new)
            continue;
        prior->ratios[prior->n_ratios++] = ratio;
        if (param->flip)
            prior->ratios[prior->n_ratios++] = (float)(1. / (double)ratio);
    }
    return 0;
}

/* The image is bottom 1 unless the layer says its size; a step is the image over the grid unless the layer says it. */
static int read_grid(const struct caffe_import *in, const struct caffe_layer *layer,
                     const Caffe__PriorBoxParameter *param, struct prior *prior, struct error *err)
{
    const struct shape *grid = caffe_bottom_shape(in, layer, 0), *image = caffe_bottom_shape(in, layer, 1);
    float image_h, image_w;

    if (grid->rank != 4 || image->rank != 4)
        return caffe_error(layer, err, EX_DATAERR, "expected bottoms of 4 axes, found %zu and %zu", grid->rank,
                           image->rank);
    prior->rows = grid->dims[2];
    prior->columns = grid->dims[3];
    image_h = (float)(param->has_img_size ? param->img_size : param->has_img_h ? param->img_h : image->dims[2]);
    image_w = (float)(param->has_img_size ? param->img_size : param->has_img_w ? param->img_w : image->dims[3]);
    prior->image_h = (double)image_h;
    prior->image_w = (double)image_w;
    prior->step_h = param->has_step ? param->step : param->has_step_h ? param->step_h : image_h / (float)prior->rows;
    prior->step_w = param->has_step ? param->step : param->has_step_w ? param->step_w : image_w / (float)prior->columns;
    prior->offset = param->offset;
    if (!(prior->image_h > 0) || !(prior->image_w > 0) || !(prior->step_h > 0) || !(prior->step_w > 0) ||
        isinf(prior->step_h) || isinf(prior->step_w) || !isfinite(prior->offset))
        return caffe_error(layer, err, EX_DATAERR, "expected a positive image size and step, found %gx%g and %gx%g",
                           prior->image_h, prior->image_w, (double)prior->step_h, (double)prior->step_w);
    return 0;
}

/* A box of the given size in pixels around a centre, in parts of the image. Returns the place behind it. */
static float *put_box(const struct prior *prior, float x, float y, float width, float height, float *out)
{
    *out++ = (float)(((double)x - (double)width / 2.) / prior->image_w);
    *out++ = (float)(((double)y - (double)height / 2.) / prior->image_h);
    *out++ = (float)(((double)x + (double)width / 2.) / prior->image_w);
    *out++ = (float)(((double)y + (double)height / 2.) / prior->image_h);
    return out;
}

/* Per min_size: its square, the square of sqrt(min max), then the other ratios, of the larger size where there is one.
 */
static float *put_cell(const struct prior *prior, float x, float y, float *out)
{
    for (size_t s = 0; s < prior->n_sizes; s++) {
        const double min = prior->min_sizes[s];
        const double size = prior->has_max_sizes ? sqrt(min * prior->max_sizes[s]) : min;

        out = put_box(prior, x, y, (float)min, (float)min, out);
        if (prior->has_max_sizes)
            out = put_box(prior, x, y, (float)size, (float)size, out);
        for (size_t r = 1; r < prior->n_ratios; r++) {
            const double root = (double)sqrtf(prior->ratios[r]);

            out = put_box(prior, x, y, (float)(size * root), (float)(size / root), out);
        }
    }
    return out;
}

static void fill_boxes(const struct prior *prior, bool is_clipped, float *boxes, size_t n)
{
    float *out = boxes;

    for (int64_t row = 0; row < prior->rows; row++)
        for (int64_t column = 0; column < prior->columns; column++)
            out = put_cell(prior, ((float)column + prior->offset) * prior->step_w,
                           ((float)row + prior->offset) * prior->step_h, out);
    for (size_t i = 0; is_clipped && i < n; i++)
        boxes[i] = fminf(fmaxf(boxes[i], 0), 1);
}

static int fill_variances(const struct caffe_layer *layer, const Caffe__PriorBoxParameter *param, float *variances,
                          size_t n, struct error *err)
{
    if (param->n_variance > 1 && param->n_variance != COORDINATES)
        return caffe_error(layer, err, EX_DATAERR, "expected no, one or four variances, found %zu", param->n_variance);
    for (size_t i = 0; i < n; i++)
        variances[i] = param->n_variance == 0 ? 0.1f : param->variance[param->n_variance == 1 ? 0 : i % COORDINATES];
    return 0;
}

int caffe_prior_box(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__PriorBoxParameter *param = layer->param->prior_box_param;
    struct shape shape = {3, {1, 2, 0}};
    struct prior prior = {0};
    float *data;
    size_t n;

    if (caffe_expect(layer, 2, 1, err) < 0)
        return -1;
    if (param == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no prior_box_param");
    if (read_sizes(layer, param, &prior, err) < 0 || read_ratios(layer, param, &prior, err) < 0 ||
        read_grid(in, layer, param, &prior, err) < 0)
        return -1;
    shape.dims[2] = prior.rows * prior.columns * (int64_t)priors_per_cell(&prior) * COORDINATES;
    n = (size_t)shape.dims[2];
    if (caffe_top_constant(in, layer, 0, &shape, &data, err) < 0)
        return -1;
    fill_boxes(&prior, param->clip, data, n);
    return fill_variances(layer, param, data + n, n, err);
}

/* ---- Parameter: a blob of weights as a top */

int caffe_parameter(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__ParameterParameter *param = layer->param->parameter_param;
    struct shape shape;
    const float *values;
    float *data;

    if (caffe_expect(layer, 0, 1, err) < 0)
        return -1;
    if (param == NULL || param->shape == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no parameter_param with a shape");
    if (caffe_copy_shape(layer, param->shape, &shape, err) < 0 || caffe_expect_blobs(in, layer, 1, err) < 0 ||
        caffe_blob_values(in, layer, 0, &shape, &values, err) < 0 ||
        caffe_top_constant(in, layer, 0, &shape, &data, err) < 0)
        return -1;
    memcpy(data, values, (size_t)shape_elements(&shape) * sizeof *data);
    return 0;
}
