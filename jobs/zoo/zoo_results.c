/* zoo_results.c — what a job's report says, in short, and the gates; see zoo.h. */
#include "jobs/zoo/zoo.h"

#include "formats/json_text.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* ---- reading ---- */

/* What zoo.json takes over of a target, beside its accuracies. */
static const char *const kept[] = {"agreement", "agreement_standard_error", "sqnr_db", "mcnemar_p", "error"};

static json_t *thresholds_of(const json_t *target)
{
    json_t *all = json_object(), *layer;
    size_t i;

    json_array_foreach(json_object_get(target, "layers"), i, layer)
    {
        json_t *threshold = json_object_get(layer, "threshold");

        if (json_is_number(threshold))
            json_object_set(all, json_string_value(json_object_get(layer, "name")), threshold);
    }
    return all;
}

static json_t *shorten(const json_t *fp32, const json_t *target)
{
    json_t *shorter = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)fp32, key, value) if (json_object_get(target, key) != NULL)
        json_object_set(shorter, key, json_object_get(target, key));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(target, kept[i]) != NULL)
            json_object_set(shorter, kept[i], json_object_get(target, kept[i]));
    json_put(&shorter, "thresholds", thresholds_of(target));
    return shorter;
}

json_t *zoo_results(const char *folder)
{
    char path[PATH_MAX];
    json_t *report, *fp32, *all = json_object(), *target;
    const char *name;

    if ((size_t)snprintf(path, sizeof path, "%s/manifest.json", folder) >= sizeof path || access(path, R_OK) != 0)
        return NULL; /* what has no manifest is no result */
    snprintf(path, sizeof path, "%s/report.json", folder);
    report = json_load_file(path, 0, NULL);
    if (report == NULL)
        return NULL;
    fp32 = json_object_get(report, "fp32");
    json_object_foreach(json_object_get(report, "targets"), name, target) json_put(&all, name, shorten(fp32, target));
    target = json_pack("{s:O, s:O, s:o}", "fingerprint", json_object_get(report, "fingerprint"), "fp32", fp32,
                       "targets", all);
    json_decref(report);
    return target;
}

/* ---- judging ---- */

/* NaN where it is not there. */
static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* What accuracy is counted by: the first k of the job where records have labels, else agreement. */
static const char *accuracy_key(json_t *fp32)
{
    const char *first = json_object_iter_key(json_object_iter(fp32));

    return first != NULL && json_is_number(json_object_get(fp32, first)) ? first : "agreement";
}

/* The largest |T - T'| / T' of values that are there on both nights. */
static double movement(json_t *now, const json_t *then, const char **most)
{
    double largest = NAN;
    const char *name;
    json_t *value;

    json_object_foreach(now, name, value)
    {
        double before = number_of(then, name), moved = fabs(json_number_value(value) - before) / before;

        if (moved > largest || (isnan(largest) && !isnan(moved))) {
            largest = moved;
            *most = name;
        }
    }
    return largest;
}

static json_t *rounded(double x)
{
    return isfinite(x) ? json_real(round(x * 1e6) / 1e6 + 0.0) : json_null(); /* no -0 */
}

__attribute__((format(printf, 2, 3))) static void fail(json_t **gates, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_append(gates, json_text(text));
}

static json_t *judge_target(json_t *fp32, json_t *target, const json_t *then, const struct zoo_gates *limit)
{
    const char *key = accuracy_key(fp32), *most = "";
    double now = number_of(target, key), agreement = number_of(target, "agreement");
    double drop = number_of(fp32, key) - now, fall = number_of(then, key) - now;
    double sqnr_fall = number_of(then, "sqnr_db") - number_of(target, "sqnr_db");
    double moved = movement(json_object_get(target, "thresholds"), json_object_get(then, "thresholds"), &most);
    json_t *gates = json_array();

    /* What is not known fails no gate: a comparison with NaN is false. */
    if (drop > limit->accuracy_drop)
        fail(&gates, "%s is %.2f points below fp32, more than %g", key, drop, limit->accuracy_drop);
    if (agreement < limit->agreement)
        fail(&gates, "agreement is %.2f %%, less than %g", agreement, limit->agreement);
    if (fall > limit->accuracy_fall)
        fail(&gates, "%s has fallen by %.2f points since it was accepted, more than %g", key, fall,
             limit->accuracy_fall);
    if (sqnr_fall > limit->sqnr_fall)
        fail(&gates, "SQNR has fallen by %.2f dB since it was accepted, more than %g", sqnr_fall, limit->sqnr_fall);
    if (moved > limit->threshold_movement)
        fail(&gates, "the threshold of %s has moved by %.3g since it was accepted, more than %g", most, moved,
             limit->threshold_movement);
    if (then != NULL)
        json_object_set_new(target, "since_accepted",
                            json_pack("{s:o, s:o, s:o}", "accuracy", rounded(-fall), "sqnr_db", rounded(-sqnr_fall),
                                      "threshold_movement", rounded(moved)));
    return gates;
}

size_t zoo_judge(json_t *results, const json_t *accepted, const struct zoo_gates *limit)
{
    json_t *then = json_object_get(accepted, "targets"), *target;
    const char *name;
    size_t failed = 0;

    json_object_foreach(json_object_get(results, "targets"), name, target)
    {
        json_t *gates = judge_target(json_object_get(results, "fp32"), target, json_object_get(then, name), limit);

        failed += json_array_size(gates);
        json_object_set_new(target, "gates", gates);
        json_object_del(target, "thresholds");
    }
    return failed;
}
