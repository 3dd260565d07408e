/* segmentation.c — a class for every pixel: which class was found where which one is true, and where fp32 found which.
 *
 * All is derived from these two matrices of counts. Intersection over union of class c is n(c, c) over the pixels that
 * have c in the truth, in what was found, or in both; classes that occur in neither are in no mean.
 */
#include "worker/metrics/metric.h"

#include <string.h>

enum { MAX_CLASSES = METRICS_MAX_CLASSES, TILE = 512 };

static size_t classes_of(const struct metric_task *task)
{
    return (size_t)task->output.dims[1];
}

static size_t pixels_of(const struct metric_task *task)
{
    return (size_t)(task->output.dims[2] * task->output.dims[3]);
}

static int check(const struct metric_task *task, struct error *err)
{
    const struct shape *shape = &task->output;
    char text[SHAPE_TEXT_BYTES];

    if (!task->is_segmentation || (shape->rank == 4 && shape->dims[1] >= 2 && shape->dims[1] <= MAX_CLASSES &&
                                   shape->dims[2] * shape->dims[3] > 1))
        return 0;
    return error_set(
        err, EX_CONFIG,
        "evaluate.segmentation: expected the scores of 2 to %d classes for every pixel as the network's first "
        "output (1 x classes x height x width), found %s",
        MAX_CLASSES, shape_text(shape, text));
}

/* Two matrices [classes][classes], the truth's and fp32's class by row. The first stays empty without label maps. */
static size_t words(const struct metric_task *task)
{
    return task->is_segmentation ? 2 * classes_of(task) * classes_of(task) : 0;
}

/* Arg-max over planes of `pixels` scores, of the n pixels from x on; as arg_max (metrics.h). */
static void find_classes(const float *x, size_t classes, size_t pixels, size_t n, uint8_t found[TILE])
{
    float best[TILE];

    memcpy(best, x, n * sizeof *best);
    memset(found, 0, n);
    for (size_t c = 1; c < classes; c++)
        for (size_t i = 0; i < n; i++) {
            float score = x[c * pixels + i];

            if (score > best[i] || (isnan(best[i]) && !isnan(score))) {
                best[i] = score;
                found[i] = (uint8_t)c;
            }
        }
}

static void add(const struct metric_task *task, const struct metric_sample *sample, uint64_t *state)
{
    size_t classes = classes_of(task), pixels = pixels_of(task), n;
    uint64_t *against_truth = state, *against_fp32 = state + classes * classes;
    uint8_t found[TILE], fp32[TILE];

    for (size_t at = 0; at < pixels; at += n) {
        n = pixels - at < TILE ? pixels - at : TILE;
        find_classes(sample->output + at, classes, pixels, n, found);
        find_classes(sample->fp32 + at, classes, pixels, n, fp32);
        for (size_t i = 0; i < n; i++)
            against_fp32[fp32[i] * classes + found[i]]++;
        for (size_t i = 0; sample->label_map != NULL && i < n; i++)
            if (sample->label_map[at + i] >= 0)
                against_truth[(size_t)sample->label_map[at + i] * classes + found[i]]++;
    }
}

/* What follows from one matrix, in percent; NaN: not known, of a class that does not occur. */
struct overlaps {
    double mean_iou, pixels; /* mean over classes; part of the pixels that are equal */
    double iou[MAX_CLASSES];
};

static struct overlaps find_overlaps(const uint64_t *counts, size_t classes)
{
    struct overlaps o = {0};
    uint64_t equal = 0, all = 0;
    size_t n = 0;

    for (size_t c = 0; c < classes; c++) {
        uint64_t row = 0, column = 0, both = counts[c * classes + c];

        for (size_t i = 0; i < classes; i++) {
            row += counts[c * classes + i];
            column += counts[i * classes + c];
        }
        o.iou[c] = metric_percent(both, row + column - both);
        if (row + column > 0) {
            o.mean_iou += o.iou[c];
            n++;
        }
        equal += both;
        all += row;
    }
    o.mean_iou = n == 0 ? NAN : o.mean_iou / (double)n;
    o.pixels = metric_percent(equal, all);
    return o;
}

static size_t columns(const struct metric_task *task, const uint64_t *state, bool is_fp32,
                      struct metric_column columns[METRIC_MAX_COLUMNS])
{
    size_t classes = classes_of(task), n = 0;
    struct overlaps truth = find_overlaps(state, classes), fp32 = find_overlaps(state + classes * classes, classes);

    columns[n++] = (struct metric_column){"mIoU", 8, truth.mean_iou};
    columns[n++] = (struct metric_column){"pixels", 8, truth.pixels};
    if (!is_fp32) {
        columns[n++] = (struct metric_column){"fp32 mIoU", 10, fp32.mean_iou};
        columns[n++] = (struct metric_column){"agreement", 10, fp32.pixels};
    }
    return n;
}

static void tell(const struct metric_task *task, const uint64_t *state, bool is_fp32, const struct metric_sink *sink)
{
    size_t classes = classes_of(task);
    struct overlaps truth = find_overlaps(state, classes), fp32 = find_overlaps(state + classes * classes, classes);

    sink->number(sink->context, "mean_iou", truth.mean_iou);
    sink->number(sink->context, "pixel_accuracy", truth.pixels);
    if (task->has_label_maps) {
        sink->numbers(sink->context, "iou", truth.iou, classes);
        sink->matrix(sink->context, "confusion", state, classes, classes);
    }
    if (is_fp32)
        return;
    sink->number(sink->context, "fp32_mean_iou", fp32.mean_iou);
    sink->number(sink->context, "agreement", fp32.pixels);
    sink->numbers(sink->context, "fp32_iou", fp32.iou, classes);
    sink->matrix(sink->context, "fp32_confusion", state + classes * classes, classes, classes);
}

const struct metric metric_segmentation = {
    .name = "segmentation",
    .check = check,
    .words = words,
    .add = add,
    .columns = columns,
    .tell = tell,
};
