/* preprocess.c — runs a chain of steps on a record; see preprocess.h.
 *
 * Steps up to the last one that moves pixels work on pictures in scratch memory; the arithmetic behind it works in the
 * network's input itself. For a planar record with nothing but mean and scale the first part is empty: one conversion
 * pass, then arithmetic in place.
 */
#include "worker/preprocess.h"

#include "common/memory.h"
#include "worker/preprocess/convert.h"
#include "worker/preprocess/steps.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Kind -> operation. */
static const struct preprocess_op *const ops[] = {
    [STEP_RESIZE] = &preprocess_resize,
    [STEP_CROP] = &preprocess_crop,
    [STEP_CHANNELS] = &preprocess_channels,
    [STEP_MEAN] = &preprocess_mean,
    [STEP_SCALE] = &preprocess_scale,
    [STEP_DIVIDE] = &preprocess_divide,
    [STEP_MEAN_FILE] = &preprocess_mean_file,
    [STEP_CROP_FRACTION] = &preprocess_crop_fraction,
    [STEP_PAD] = &preprocess_pad,
    [STEP_GRAY] = &preprocess_gray,
    [STEP_STANDARDIZE] = &preprocess_standardize,
    [STEP_TRANSPOSE] = &preprocess_transpose,
    [STEP_YUV] = &preprocess_yuv,
    [STEP_QUANTIZE] = &preprocess_quantize,
};

/* Kind -> what a step that crops keeps. */
static window_function *const windows[N_STEP_KINDS] = {
    [STEP_CROP] = crop_find_window,
    [STEP_CROP_FRACTION] = crop_fraction_find_window,
};

struct preprocessor {
    const struct preprocess_plan *plan;
    struct shape out;
    size_t n_elements;                                      /* of out */
    size_t tail;                                            /* steps [tail, n_steps) are arithmetic */
    bool is_conversion;                                     /* the tail is one */
    bool is_same_conversion;                                /* for every channel */
    struct conversion conversions[PREPROCESS_MAX_CHANNELS]; /* of each channel */
    struct picture_scratch scratch;
    struct image_wish wish;
};

/* Channels at the start of the chain, as far as the plan and the network tell: the last `channels` step decides them at
 * the end, and where there is none they never change. */
static size_t first_channels(const struct preprocess_plan *plan, const struct shape *out)
{
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind < N_STEP_KINDS && ops[plan->steps[i].kind] != NULL &&
            ops[plan->steps[i].kind]->changes_channels)
            return 0;
    return out->rank == 3 ? (size_t)out->dims[0] : 0;
}

static int check_plan(const struct preprocess_plan *plan, const struct shape *out, struct error *err)
{
    struct step_shape shape = {.channels = first_channels(plan, out)};

    if (plan->n_steps > PREPROCESS_MAX_STEPS)
        return error_set(err, EX_CONFIG, "expected at most %d preprocessing steps, found %zu", PREPROCESS_MAX_STEPS,
                         plan->n_steps);
    for (size_t i = 0; i < plan->n_steps; i++) {
        enum step_kind kind = plan->steps[i].kind;

        if ((size_t)kind >= sizeof ops / sizeof *ops || ops[kind] == NULL)
            return error_set(err, EX_CONFIG, "preprocessing step %zu is of no known kind (%d)", i + 1, (int)kind);
        if (ops[kind]->check(&plan->steps[i], &shape, err) < 0)
            return error_in(err, "preprocessing step %zu (%s)", i + 1, ops[kind]->name);
    }
    if (out->rank != 3)
        return 0;
    if ((shape.channels != 0 && shape.channels != (size_t)out->dims[0]) ||
        (shape.height != 0 && shape.height != (size_t)out->dims[1]) ||
        (shape.width != 0 && shape.width != (size_t)out->dims[2])) {
        bool is_known = shape.channels != 0 && shape.height != 0 && shape.width != 0;
        char text[SHAPE_TEXT_BYTES];

        return error_set(err, EX_CONFIG, "preprocessing ends with %zux%zux%zu%s, the network expects %s",
                         shape.channels, shape.height, shape.width, is_known ? "" : " (0: not known yet)",
                         shape_text(out, text));
    }
    return 0;
}

/* The tail on bytes, where it is one pass: see convert.h. */
static void find_conversions(struct preprocessor *preprocessor)
{
    const struct preprocess_plan *plan = preprocessor->plan;
    const struct preprocess_step *tail = plan->steps + preprocessor->tail;
    size_t n_steps = plan->n_steps - preprocessor->tail, n = 1;

    for (size_t i = 0; i < n_steps; i++)
        n = tail[i].n_values > n ? tail[i].n_values : n;
    for (size_t c = 0; c < PREPROCESS_MAX_CHANNELS; c++)
        if (!conversion_init(&preprocessor->conversions[c], tail, n_steps, c < n ? c : 0))
            return;
    preprocessor->is_conversion = true;
    preprocessor->is_same_conversion = n == 1;
}

static bool is_resize_and_crop(const struct preprocess_step *step, size_t n_left)
{
    return n_left > 1 && step->kind == STEP_RESIZE && step->resize.fit != FIT_SIDE_PAD && windows[step[1].kind] != NULL;
}

/* struct image_wish: what the first steps look at of the record's image. */
static struct rectangle find_needed(const void *context, size_t height, size_t width)
{
    const struct preprocessor *preprocessor = context;
    const struct preprocess_step *step = preprocessor->plan->steps;
    struct rectangle window, whole = {0, 0, height, width};
    size_t n_left = preprocessor->tail, resized_height, resized_width;

    if (n_left > 0 && windows[step->kind] != NULL)
        return windows[step->kind](step, height, width, &window, NULL) == 0 ? window : whole;
    if (!is_resize_and_crop(step, n_left))
        return whole;
    resize_find_size(step, height, width, &resized_height, &resized_width);
    if (windows[step[1].kind](&step[1], resized_height, resized_width, &window, NULL) < 0)
        return whole; /* too small: preprocess will say so */
    return resize_find_source(step, height, width, resized_height, resized_width, &window);
}

struct preprocessor *preprocessor_create(const struct preprocess_plan *plan, const struct shape *out_shape,
                                         struct error *err)
{
    struct preprocessor *preprocessor;
    int64_t n = shape_elements(out_shape);
    char text[SHAPE_TEXT_BYTES];

    if (n <= 0) {
        error_set(err, EX_CONFIG, "expected a network input of fixed size, found %s", shape_text(out_shape, text));
        return NULL;
    }
    if (check_plan(plan, out_shape, err) < 0)
        return NULL;
    preprocessor = memory_create(1, sizeof *preprocessor, "a preprocessor", err);
    if (preprocessor == NULL)
        return NULL;
    preprocessor->plan = plan;
    preprocessor->out = *out_shape;
    preprocessor->n_elements = (size_t)n;
    preprocessor->tail = plan->n_steps;
    while (preprocessor->tail > 0 && ops[plan->steps[preprocessor->tail - 1].kind]->compute != NULL)
        preprocessor->tail--;
    find_conversions(preprocessor);
    preprocessor->wish = (struct image_wish){.find = find_needed, .context = preprocessor};
    return preprocessor;
}

void preprocessor_destroy(struct preprocessor *preprocessor)
{
    if (preprocessor == NULL)
        return;
    picture_scratch_fini(&preprocessor->scratch);
    free(preprocessor);
}

/* A record whose planes an arithmetic step cannot have is a bad one. */
static int check_step(const struct preprocess_step *step, struct step_shape shape, struct error *err)
{
    if (ops[step->kind]->check(step, &shape, err) == 0)
        return 0;
    if (err != NULL)
        err->code = EX_DATAERR;
    return error_in(err, "%s", ops[step->kind]->name);
}

static struct step_shape shape_of(const struct picture *picture)
{
    return (struct step_shape){picture_channels(picture), picture->height, picture->width, true};
}

static int apply_step(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    const struct preprocess_op *op = ops[step->kind];
    struct step_shape shape;
    float *x;

    if (op->apply != NULL)
        return op->apply(step, picture, err) == 0 ? 0 : error_in(err, "%s", op->name);
    x = picture_make_planar_float(picture, err);
    shape = shape_of(picture);
    if (x == NULL || check_step(step, shape, err) < 0)
        return -1;
    op->compute(step, x, &shape);
    return 0;
}

/* The crop tells which pixels of the resized picture are worth computing. */
static int apply_resize_and_crop(const struct preprocess_step *resize, const struct preprocess_step *crop,
                                 struct picture *picture, struct error *err)
{
    struct rectangle window;
    size_t height, width;

    resize_find_size(resize, picture->height, picture->width, &height, &width);
    if (windows[crop->kind](crop, height, width, &window, err) < 0)
        return error_in(err, "%s", ops[crop->kind]->name);
    return resize_to_window(resize, picture, height, width, &window, err) == 0
               ? 0
               : error_in(err, "%s", ops[resize->kind]->name);
}

const struct image_wish *preprocessor_wish(const struct preprocessor *preprocessor)
{
    return &preprocessor->wish;
}

/* The steps before the tail. */
static int apply_geometry(const struct preprocessor *preprocessor, struct picture *picture, struct error *err)
{
    const struct preprocess_step *step = preprocessor->plan->steps, *end = step + preprocessor->tail;

    while (step < end) {
        bool is_pair = is_resize_and_crop(step, (size_t)(end - step));

        if ((is_pair ? apply_resize_and_crop(step, step + 1, picture, err) : apply_step(step, picture, err)) < 0)
            return -1;
        step += is_pair ? 2 : 1;
    }
    return 0;
}

/* An image must have the network's channels, height and width; of a tensor (a flat record, or an input that is no
 * image) the count decides. */
static int check_shape(const struct preprocessor *preprocessor, const struct picture *picture, struct error *err)
{
    const struct shape *out = &preprocessor->out;
    size_t channels = picture_channels(picture);
    bool is_flat = picture->height == 1 && picture->width == 1;
    char text[SHAPE_TEXT_BYTES];

    if (channels * picture->height * picture->width == preprocessor->n_elements &&
        (out->rank != 3 || is_flat ||
         (channels == (size_t)out->dims[0] && picture->height == (size_t)out->dims[1] &&
          picture->width == (size_t)out->dims[2])))
        return 0;
    return error_set(err, EX_DATAERR, "expected %s, found %zux%zux%zu", shape_text(out, text), channels,
                     picture->height, picture->width);
}

/* Not (|x| <= max) is true for NaN, too. The common case, all finite, is one pass without branches. */
static int check_finite(const float *x, size_t n, struct error *err)
{
    unsigned n_bad = 0;

    for (size_t i = 0; i < n; i++)
        n_bad |= !(fabsf(x[i]) <= FLT_MAX);
    for (size_t i = 0; n_bad != 0 && i < n; i++)
        if (!(fabsf(x[i]) <= FLT_MAX))
            return error_set(err, EX_DATAERR, "expected finite numbers, value %zu is %g", i, (double)x[i]);
    return 0;
}

/* Bytes become the network's input, all at once. */
static void convert(const struct preprocessor *preprocessor, const struct picture *picture, float *out)
{
    convert_kernel *kernel = convert_find(isa_best());
    size_t spatial = picture->height * picture->width, interleave = picture->interleave;

    for (size_t p = 0; p < picture->planes; p++)
        kernel(&preprocessor->conversions[preprocessor->is_same_conversion ? 0 : p],
               (const uint8_t *)picture->data + p * spatial * interleave, interleave, out + p * spatial * interleave,
               spatial, spatial);
}

static int run_chain(struct preprocessor *preprocessor, const struct record *record, float *out, struct error *err)
{
    const struct preprocess_plan *plan = preprocessor->plan;
    struct picture picture;
    struct step_shape shape;

    picture_from_record(&picture, record, &preprocessor->scratch);
    if (apply_geometry(preprocessor, &picture, err) < 0)
        return -1;
    if (check_shape(preprocessor, &picture, err) < 0)
        return -1;
    shape = shape_of(&picture);
    for (size_t i = preprocessor->tail; i < plan->n_steps; i++)
        if (check_step(&plan->steps[i], shape, err) < 0)
            return -1;
    if (!picture.is_float && preprocessor->is_conversion && picture.interleave <= PREPROCESS_MAX_CHANNELS) {
        convert(preprocessor, &picture, out);
        return 0;
    }
    picture_copy_planar(&picture, out);
    for (size_t i = preprocessor->tail; i < plan->n_steps; i++)
        ops[plan->steps[i].kind]->compute(&plan->steps[i], out, &shape);
    return check_finite(out, preprocessor->n_elements, err);
}

int preprocess(struct preprocessor *preprocessor, const struct record *record, float *out, struct error *err)
{
    return run_chain(preprocessor, record, out, err) == 0 ? 0 : error_in(err, "%s", record->key);
}
