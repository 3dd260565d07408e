/* transform_steps.c — see transform_steps.h. */
#include "formats/caffe/transform_steps.h"

#include "formats/caffe/build.h"

#include <string.h>

struct preprocess_step *chain_step(struct caffe_chain *chain, enum step_kind kind)
{
    if (chain->plan->n_steps == PREPROCESS_MAX_STEPS) {
        caffe_error(chain->layer, chain->err, EX_UNAVAILABLE, "its transformation takes more than %d steps",
                    PREPROCESS_MAX_STEPS);
        return NULL;
    }
    chain->plan->steps[chain->plan->n_steps].kind = kind;
    return &chain->plan->steps[chain->plan->n_steps++];
}

int chain_channels(struct caffe_chain *chain, enum channel_order order)
{
    struct preprocess_plan *plan = chain->plan;
    struct preprocess_step *step = plan->n_steps > 0 && plan->steps[plan->n_steps - 1].kind == STEP_CHANNELS
                                       ? &plan->steps[plan->n_steps - 1]
                                       : chain_step(chain, STEP_CHANNELS);

    if (step == NULL)
        return -1;
    step->channels = order;
    return 0;
}

int chain_resize(struct caffe_chain *chain, enum resize_fit fit, size_t height, size_t width, enum resize_filter filter)
{
    struct preprocess_step *step;

    if (height == 0 || (fit == FIT_WARP && width == 0))
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it resizes to %zux%zu", height, width);
    step = chain_step(chain, STEP_RESIZE);
    if (step == NULL)
        return -1;
    step->resize.fit = fit;
    step->resize.filter = filter;
    step->resize.height = height;
    step->resize.width = fit == FIT_WARP ? width : 0;
    return 0;
}

int chain_crop(struct caffe_chain *chain, size_t height, size_t width)
{
    struct preprocess_step *step;

    if (height == 0 || width == 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it crops to %zux%zu", height, width);
    step = chain_step(chain, STEP_CROP);
    if (step == NULL)
        return -1;
    step->crop.height = height;
    step->crop.width = width;
    return 0;
}

int chain_values(struct caffe_chain *chain, enum step_kind kind, const char *what, const float *values, size_t n)
{
    struct preprocess_step *step;

    if (n == 0)
        return 0;
    if (n > PREPROCESS_MAX_CHANNELS)
        return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                           "it has %zu numbers of %s, at most %d are possible", n, what, PREPROCESS_MAX_CHANNELS);
    for (size_t i = 0; kind == STEP_DIVIDE && i < n; i++)
        if (values[i] == 0)
            return caffe_error(chain->layer, chain->err, EX_DATAERR, "it divides by 0");
    step = chain_step(chain, kind);
    if (step == NULL)
        return -1;
    memcpy(step->values, values, n * sizeof *values);
    step->n_values = n;
    return 0;
}

static int chain_mean_file(struct caffe_chain *chain, const char *file)
{
    struct preprocess_step *step = chain_step(chain, STEP_MEAN_FILE);

    if (step == NULL)
        return -1;
    step->file.path = caffe_find_path(chain->prototxt, file, chain->arena, chain->err);
    return step->file.path == NULL ? -1 : 0;
}

int chain_mean(struct caffe_chain *chain, const float *values, size_t n, const char *file)
{
    if (file == NULL)
        return chain_values(chain, STEP_MEAN, "mean_value", values, n);
    if (n > 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it has both mean_file and mean_value");
    return chain_mean_file(chain, file);
}

int chain_crop_fraction(struct caffe_chain *chain, float fraction, bool has_size)
{
    struct preprocess_step *step;

    if (!(fraction > 0 && fraction < 1))
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "its crop_fraction is %g, expected above 0, at most 1",
                           (double)fraction);
    if (has_size)
        return caffe_error(chain->layer, chain->err, EX_DATAERR,
                           "it crops to both a crop_fraction and a size: one of the two holds");
    step = chain_step(chain, STEP_CROP_FRACTION);
    if (step == NULL)
        return -1;
    step->fraction = fraction;
    return 0;
}
