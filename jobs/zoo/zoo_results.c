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

/* The numbers of one network, under the keys that fp32 has numbers for (null: not known); a confusion matrix is none.
 */
static json_t *numbers_of(const json_t *network, json_t *fp32)
{
    json_t *numbers = json_object(), *value;
    const char *key;

    json_object_foreach(fp32, key, value)
    {
        json_t *number = json_object_get(network, key);

        if (json_is_number(number) || json_is_null(number))
            json_object_set(numbers, key, number);
    }
    return numbers;
}

static json_t *shorten(json_t *fp32, const json_t *target)
{
    json_t *shorter = numbers_of(target, fp32);

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(target, kept[i]) != NULL)
            json_object_set(shorter, kept[i], json_object_get(target, kept[i]));
    json_put(&shorter, "thresholds", thresholds_of(target));
    return shorter;
}

int zoo_results(const char *folder, json_t **results, struct error *err)
{
    char path[PATH_MAX];
    json_t *report, *fp32, *of_targets, *all, *target;
    const char *name;

    *results = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/manifest.json", folder) >= sizeof path || access(path, F_OK) != 0)
        return 0; /* what has no manifest is no result */
    snprintf(path, sizeof path, "%s/report.json", folder);
    report = json_file_read(path, err);
    if (report == NULL)
        return -1;
    fp32 = json_object_get(report, "fp32");
    of_targets = json_object_get(report, "targets");
    if (!json_is_string(json_object_get(report, "fingerprint")) || !json_is_object(fp32) ||
        !json_is_object(of_targets)) {
        json_decref(report);
        return error_set(err, EX_DATAERR, "%s: no report of etalon", path);
    }
    all = json_object();
    json_object_foreach(of_targets, name, target) json_put(&all, name, shorten(fp32, target));
    *results = json_pack("{s:O, s:o, s:o}", "fingerprint", json_object_get(report, "fingerprint"), "fp32",
                         numbers_of(fp32, fp32), "targets", all);
    json_decref(report);
    return *results != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate memory for the results of a job");
}

/* ---- judging ---- */

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
        double before = json_number_at(then, name), moved = fabs(json_number_value(value) - before) / before;

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

/* What becomes of the gates of a target. */
struct verdict {
    json_t *failed, *unjudged; /* sentences, and names of gates */
};

__attribute__((format(printf, 2, 3))) static void fail(struct verdict *verdict, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_append(&verdict->failed, json_text(text));
}

/* Is the gate asked for, and is there anything to judge it by? */
static bool can_judge(struct verdict *verdict, const char *gate, double limit, double found)
{
    if (isnan(limit))
        return false;
    if (isnan(found))
        json_append(&verdict->unjudged, json_string(gate));
    return !isnan(found);
}

/* The same of what has been known, and has to stay so: a night that does not measure is not a good one. */
static bool can_compare(struct verdict *verdict, const char *gate, double limit, const char *what, double before,
                        double now)
{
    if (isnan(limit) || isnan(before) || !isnan(now))
        return can_judge(verdict, gate, limit, before - now);
    fail(verdict, "%s is not known any more (%s)", what, gate);
    return false;
}

static void judge_movement(struct verdict *verdict, double limit, const json_t *now, const json_t *then, double moved,
                           const char *most)
{
    if (!isnan(limit) && isnan(moved) && json_object_size(then) > 0 && json_object_size(now) == 0)
        fail(verdict, "thresholds are not known any more (threshold_movement)");
    else if (can_judge(verdict, "threshold_movement", limit, moved) && moved > limit)
        fail(verdict, "the threshold of %s has moved by %.3g since it was accepted, more than %g", most, moved, limit);
}

static struct verdict judge_target(json_t *fp32, json_t *target, const json_t *then, const struct zoo_gates *limit)
{
    const char *key = accuracy_key(fp32), *most = "";
    json_t *thresholds = json_object_get(target, "thresholds"), *accepted = json_object_get(then, "thresholds");
    double now = json_number_at(target, key), agreement = json_number_at(target, "agreement");
    double drop = json_number_at(fp32, key) - now, before = json_number_at(then, key), fall = before - now;
    double sqnr = json_number_at(target, "sqnr_db"), sqnr_before = json_number_at(then, "sqnr_db");
    double moved = movement(thresholds, accepted, &most);
    struct verdict verdict = {json_array(), json_array()};

    if (json_object_get(target, "error") != NULL) /* that is told, and has no figures */
        return verdict;
    if (can_judge(&verdict, "accuracy_drop", limit->accuracy_drop, drop) && drop > limit->accuracy_drop)
        fail(&verdict, "%s is %.2f points below fp32, more than %g", key, drop, limit->accuracy_drop);
    if (can_judge(&verdict, "agreement", limit->agreement, agreement) && agreement < limit->agreement)
        fail(&verdict, "agreement is %.2f %%, less than %g", agreement, limit->agreement);
    if (then == NULL) /* never accepted */
        return verdict;
    if (can_compare(&verdict, "accuracy_fall", limit->accuracy_fall, key, before, now) && fall > limit->accuracy_fall)
        fail(&verdict, "%s has fallen by %.2f points since it was accepted, more than %g", key, fall,
             limit->accuracy_fall);
    if (can_compare(&verdict, "sqnr_fall", limit->sqnr_fall, "SQNR", sqnr_before, sqnr) &&
        sqnr_before - sqnr > limit->sqnr_fall)
        fail(&verdict, "SQNR has fallen by %.2f dB since it was accepted, more than %g", sqnr_before - sqnr,
             limit->sqnr_fall);
    judge_movement(&verdict, limit->threshold_movement, thresholds, accepted, moved, most);
    json_object_set_new(target, "since_accepted",
                        json_pack("{s:o, s:o, s:o}", "accuracy", rounded(-fall), "sqnr_db", rounded(sqnr - sqnr_before),
                                  "threshold_movement", rounded(moved)));
    return verdict;
}

/* A target that was accepted and that the job does not name any more has no figures at all: one sentence for all gates
 * that would compare them. Returns how many there are. */
static size_t judge_absent(json_t *of_targets, json_t *then, const struct zoo_gates *limit)
{
    const char *name;
    json_t *accepted;
    size_t n = 0;

    if (isnan(limit->accuracy_fall) && isnan(limit->sqnr_fall) && isnan(limit->threshold_movement))
        return 0;
    json_object_foreach(then, name, accepted)
    {
        if (json_object_get(of_targets, name) != NULL)
            continue;
        json_object_set_new(of_targets, name,
                            json_pack("{s:[s]}", "gates", "it was accepted, and is no target of this job any more"));
        n++;
    }
    return n;
}

size_t zoo_judge(json_t *results, const json_t *accepted, const struct zoo_gates *limit, size_t *n_unjudged)
{
    json_t *then = json_object_get(accepted, "targets"), *of_targets = json_object_get(results, "targets"), *target;
    const char *name;
    size_t failed = 0;

    json_object_foreach(of_targets, name, target)
    {
        struct verdict verdict =
            judge_target(json_object_get(results, "fp32"), target, json_object_get(then, name), limit);

        failed += json_array_size(verdict.failed);
        *n_unjudged += json_array_size(verdict.unjudged);
        json_object_set_new(target, "gates", verdict.failed);
        if (json_array_size(verdict.unjudged) > 0)
            json_object_set(target, "not_judged", verdict.unjudged);
        json_decref(verdict.unjudged);
        json_object_del(target, "thresholds");
    }
    return failed + judge_absent(of_targets, then, limit);
}
