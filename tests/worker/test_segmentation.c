/* test_segmentation.c — classes of pixels against plain definitions: arg-max per pixel, sets of pixels per class. */
#include "worker/class_map.h"
#include "worker/metrics/metric.h"

#include "../common/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CLASSES = 4, HEIGHT = 27, WIDTH = 43, PIXELS = HEIGHT * WIDTH, RECORDS = 6, ROOM = 2 * CLASSES * CLASSES };

static struct metric_task task_of(int64_t classes, int64_t height, int64_t width)
{
    return (struct metric_task){
        .output = {.rank = 4, .dims = {1, classes, height, width}}, .is_segmentation = true, .has_label_maps = true};
}

/* What a metric tells, by name. */
struct told {
    double mean_iou, fp32_mean_iou, agreement, iou[CLASSES];
    uint64_t confusion[CLASSES * CLASSES], fp32_confusion[CLASSES * CLASSES];
};

static void take_number(void *context, const char *name, double value)
{
    struct told *told = context;

    if (strcmp(name, "mean_iou") == 0)
        told->mean_iou = value;
    if (strcmp(name, "fp32_mean_iou") == 0)
        told->fp32_mean_iou = value;
    if (strcmp(name, "agreement") == 0)
        told->agreement = value;
}

static void take_count(void *context, const char *name, uint64_t value)
{
    (void)context;
    (void)value;
    fail_msg("%s", name);
}

static void take_numbers(void *context, const char *name, const double *values, size_t n)
{
    if (strcmp(name, "iou") == 0)
        memcpy(((struct told *)context)->iou, values, n * sizeof *values);
}

static void take_matrix(void *context, const char *name, const uint64_t *values, size_t rows, size_t columns)
{
    struct told *told = context;

    memcpy(strcmp(name, "confusion") == 0 ? told->confusion : told->fp32_confusion, values,
           rows * columns * sizeof *values);
}

static struct told tell(const struct metric_task *task, const uint64_t *state)
{
    struct told told = {0};
    const struct metric_sink sink = {&told, take_number, take_count, take_numbers, take_matrix};

    for (size_t i = 0; metrics[i] != NULL; i++)
        if (metrics[i]->words(task) > 0)
            metrics[i]->tell(task, state, false, &sink);
    return told;
}

/* Few different scores, so that ties are common, and some NaN. */
static void draw_scores(float *scores)
{
    for (size_t i = 0; i < CLASSES * PIXELS; i++)
        scores[i] = draw_below(40) == 0 ? NAN : (float)draw_below(6);
}

static size_t class_at(const float *scores, size_t pixel)
{
    float x[CLASSES];

    for (size_t c = 0; c < CLASSES; c++)
        x[c] = scores[c * PIXELS + pixel];
    return arg_max(x, CLASSES);
}

/* In percent, from the pixels themselves. */
static double mean_iou(const int *truth, const int *found, size_t n)
{
    double sum = 0;
    int occurring = 0;

    for (int c = 0; c < CLASSES; c++) {
        int both = 0, either = 0;

        for (size_t i = 0; i < n; i++) {
            both += truth[i] == c && found[i] == c;
            either += truth[i] >= 0 && (truth[i] == c || found[i] == c);
        }
        if (either > 0) {
            sum += 100.0 * both / either;
            occurring++;
        }
    }
    return sum / occurring;
}

static void counts_follow_from_the_arg_max_of_every_pixel_in_any_order(void **state)
{
    static float scores[RECORDS][CLASSES * PIXELS], fp32[RECORDS][CLASSES * PIXELS], labels[RECORDS][PIXELS];
    static int truth[RECORDS * PIXELS], found[RECORDS * PIXELS], expected[RECORDS * PIXELS];
    const struct metric_task task = task_of(CLASSES, HEIGHT, WIDTH);
    uint64_t straight[ROOM] = {0}, parts[2][ROOM] = {{0}};
    struct told told;

    (void)state;
    assert_int_equal(metrics_words(&task), ROOM);
    for (size_t r = 0; r < RECORDS; r++) {
        draw_scores(scores[r]);
        draw_scores(fp32[r]);
        for (size_t i = 0; i < PIXELS; i++) {
            labels[r][i] = (float)draw_below(CLASSES + 1) - 1;
            truth[r * PIXELS + i] = (int)labels[r][i];
            found[r * PIXELS + i] = (int)class_at(scores[r], i);
            expected[r * PIXELS + i] = (int)class_at(fp32[r], i);
        }
    }
    for (size_t r = 0; r < RECORDS; r++)
        metrics_add(&task, &(struct metric_sample){scores[r], fp32[r], -1, labels[r]}, straight);
    for (size_t r = RECORDS; r-- > 0;)
        metrics_add(&task, &(struct metric_sample){scores[r], fp32[r], -1, labels[r]}, parts[draw_below(2)]);
    for (size_t i = 0; i < ROOM; i++)
        parts[0][i] += parts[1][i];
    assert_memory_equal(parts[0], straight, sizeof straight);

    told = tell(&task, straight);
    assert_true(fabs(told.mean_iou - mean_iou(truth, found, RECORDS * PIXELS)) < 1e-9);
    assert_true(fabs(told.fp32_mean_iou - mean_iou(expected, found, RECORDS * PIXELS)) < 1e-9);
    for (size_t i = 0; i < RECORDS * PIXELS; i++) {
        told.fp32_confusion[expected[i] * CLASSES + found[i]]--;
        if (truth[i] >= 0)
            told.confusion[truth[i] * CLASSES + found[i]]--;
    }
    for (size_t i = 0; i < sizeof told.confusion / sizeof *told.confusion; i++)
        assert_true(told.confusion[i] == 0 && told.fp32_confusion[i] == 0);
}

/* Two pixels of class 0, one taken for class 1, and one that does not count; classes 2 and 3 are nowhere. */
static void classes_that_occur_nowhere_are_in_no_mean(void **state)
{
    const float scores[CLASSES * 4] = {1, 0, 0, 9, 0, 1, 1, 0}, labels[4] = {0, 0, 1, -1};
    const struct metric_task task = task_of(CLASSES, 2, 2);
    uint64_t counts[ROOM] = {0};
    struct told told;

    (void)state;
    metrics_add(&task, &(struct metric_sample){scores, scores, -1, labels}, counts);
    told = tell(&task, counts);
    assert_true(told.iou[0] == 50 && told.iou[1] == 50 && isnan(told.iou[2]) && isnan(told.iou[3]));
    assert_true(told.mean_iou == 50 && told.fp32_mean_iou == 100 && told.agreement == 100);
}

static void without_label_pictures_fp32_alone_is_compared_with(void **state)
{
    const float scores[CLASSES * 4] = {1, 0, 0, 9, 0, 1, 1, 0};
    struct metric_task task = task_of(CLASSES, 2, 2);
    uint64_t counts[ROOM] = {0};
    struct told told;

    (void)state;
    task.has_label_maps = false;
    metrics_add(&task, &(struct metric_sample){.output = scores, .fp32 = scores, .label = -1}, counts);
    told = tell(&task, counts);
    assert_true(isnan(told.mean_iou) && told.fp32_mean_iou == 100);
}

static void only_scores_of_classes_for_every_pixel_are_a_segmentation(void **state)
{
    const struct metric_task wrong[] = {task_of(1, 8, 8), task_of(257, 8, 8), task_of(10, 1, 1)};
    struct metric_task flat = {.output = {.rank = 2, .dims = {1, 10}}, .is_segmentation = true},
                       right = task_of(256, 1, 2);
    struct error err = {0};

    (void)state;
    assert_int_equal(metrics_check(&right, &err), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(metrics_check(&wrong[i], NULL), -1);
    assert_int_equal(metrics_check(&flat, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "found 1x10"));
    flat.is_segmentation = false;
    assert_int_equal(metrics_check(&flat, NULL), 0);
}

static void labels_become_classes_and_what_has_none_is_named(void **state)
{
    struct class_map map;
    struct error err = {0};
    float good[] = {0, 50, 255, 100}, wrong[][4] = {{0, 0, 0, 70}, {0, 0.5F, 0, 0}, {-3, 0, 0, 0}, {0, 0, 300, 0}};
    const float expected[] = {0, 1, CLASS_IGNORED, 2};

    (void)state;
    class_map_init(&map);
    map.n_classes = 3;
    for (size_t i = 3; i < CLASS_MAP_VALUES; i++)
        map.of[i] = i == 50 ? 1 : i == 100 ? 2 : i == 255 ? CLASS_IGNORED : (int16_t)i;
    assert_int_equal(class_map_apply(&map, good, 4, 2, NULL), 0);
    assert_memory_equal(good, expected, sizeof good);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(class_map_apply(&map, wrong[i], 4, 2, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
        if (i == 0)
            assert_non_null(strstr(err.text, "the label 70 in row 1, column 1"));
        err = (struct error){0};
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_follow_from_the_arg_max_of_every_pixel_in_any_order),
        cmocka_unit_test(classes_that_occur_nowhere_are_in_no_mean),
        cmocka_unit_test(without_label_pictures_fp32_alone_is_compared_with),
        cmocka_unit_test(only_scores_of_classes_for_every_pixel_are_a_segmentation),
        cmocka_unit_test(labels_become_classes_and_what_has_none_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
