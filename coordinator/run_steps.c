/* run_steps.c — measure, decide, score; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/check_cores.h"
#include "coordinator/convergence.h"
#include "coordinator/decide.h"
#include "coordinator/equalize.h"
#include "coordinator/fingerprint.h"
#include "coordinator/keep.h"
#include "coordinator/node_share.h"
#include "coordinator/measure_ranges.h"
#include "coordinator/plan_decide.h"
#include "coordinator/report_convergence.h"
#include "worker/simulate.h"

#include <stdio.h>
#include <string.h>

/* The first method that wants one of these kinds. */
static const char *name_of_wants(const struct run_request *q, unsigned kinds)
{
    for (size_t i = 0; i < q->calibration.n_overrides; i++)
        if (q->calibration.overrides[i].activations != NULL &&
            (q->calibration.overrides[i].activations->wants & kinds) != 0)
            return q->calibration.overrides[i].activations->name;
    return (q->calibration.activations->wants & kinds) != 0 ? q->calibration.activations->name
                                                            : q->calibration.weights->name;
}

static size_t channel_bins(const struct run_request *q)
{
    return q->calibration.granularity == GRANULARITY_PER_CHANNEL ? q->calibration.channel_bins : 0;
}

struct pass_request run_pass_over(const struct run *run, struct dataset *dataset, const struct feed_input *inputs,
                                  const char *what)
{
    const struct run_request *q = run->request;

    return (struct pass_request){.graph = run->graph,
                                 .dataset = dataset,
                                 .inputs = inputs,
                                 .block_size = q->calibration.block,
                                 .n_threads = q->threads,
                                 .n_decoders = q->decode_threads > 0 ? q->decode_threads : q->threads,
                                 .prefetch_bytes = q->prefetch_mib << 20,
                                 .max_bad_records = q->max_bad_records,
                                 .stall_seconds = (double)q->stall_seconds,
                                 .what = what};
}

int run_take_archive(struct run *run, struct archive *archive, struct error *err)
{
    const struct run_request *q = run->request;
    struct equalization *to = archive->is_equalized_apart ? &run->apart.equalization : &run->equalization;

    if (keep_take_equalization(archive, run->graph, to, err) != 0 || apart_watch(&run->apart, run->graph, err) != 0)
        return -1;
    return keep_take(archive, run->apart.watched == NULL ? run->graph : run->apart.watched, q->calibration.bins,
                     channel_bins(q), &run->measured, &run->records, &run->earlier, err);
}

/* Local. *is_found: the folder has an archive of these statistics. */
static int take_earlier(struct run *run, bool *is_found, struct error *err)
{
    struct archive archive = {0};
    char path[4096];
    int rc;

    snprintf(path, sizeof path, "%s/archive.h5", run->request->output);
    rc = keep_open(path, run->statistics, &archive, is_found, err);
    if (rc == 0 && *is_found) {
        rc = run_take_archive(run, &archive, err) == 0 ? 0 : error_in(err, "%s", path);
        archive_fini(&archive);
    }
    return rc;
}

/* Collective. The statistics of an earlier run, where every rank sees its archive: an output folder on one host's disk
 * is no reason for the others to wait for ever. */
static int reuse(struct run *run, struct error *err)
{
    bool is_found = false;
    int rc = comm_agree(run->comm, take_earlier(run, &is_found, err), err);
    int32_t is_missing = !is_found;

    if (rc != 0)
        return rc;
    comm_max_int32(run->comm, &is_missing, 1);
    if (!is_missing) {
        log_info("statistics come from %s/archive.h5", run->request->output);
        return pass_check_bad(&run->records, run->request->max_bad_records, err);
    }
    observation_destroy(run->measured);
    run->measured = NULL;
    apart_fini(&run->apart);
    equalization_fini(&run->equalization);
    pass_result_fini(&run->records);
    archive_fini(&run->earlier);
    return 0;
}

/* Collective. What the targets that want it have in common. */
static int find_equalization(struct run *run, struct error *err)
{
    enum equalized_targets which = run_equalized_targets(run->request);
    struct equalization *to = which == EQUALIZED_SOME ? &run->apart.equalization : &run->equalization;
    int rc;

    if (which == EQUALIZED_NONE)
        return 0;
    rc = equalize_find(run->comm, run->graph, run->dataset, run->inputs, run_has_short_biases(run->request), to, err);
    return rc == 0 ? apart_watch(&run->apart, run->graph, err) : rc;
}

/* Local. Makes `graph` the equalized one, and keeps the user's as the reference. */
static int rewrite(struct run *run, struct error *err)
{
    if (run->equalization.n == 0)
        return 0;
    run->of_reference = memory_create(run->graph->n_values, sizeof *run->of_reference, "equalization", err);
    if (run->of_reference == NULL || equalization_trace(run->graph, &run->equalization, run->of_reference, err) != 0)
        return -1;
    run->reference = graph_copy(run->graph, err);
    return run->reference == NULL ? -1 : equalization_apply(run->graph, &run->equalization, err);
}

int run_equalize(struct run *run, struct error *err)
{
    size_t n;
    int rc = comm_agree(run->comm, run->measured == NULL ? find_equalization(run, err) : 0, err);

    if (rc != 0)
        return rc;
    /* From here on nobody changes a constant. */
    node_share_constants(run->comm, run->graph, &run->constants);
    rc = rewrite(run, err);
    if (rc == 0)
        rc = apart_rewrite(&run->apart, run->graph, err);
    rc = comm_agree(run->comm, rc, err);
    n = run->equalization.n + run->apart.equalization.n;
    if (rc == 0 && n > 0)
        node_share_constants(run->comm, run->apart.graph == NULL ? run->graph : run->apart.graph, &run->rewritten);
    if (rc == 0 && n > 0)
        log_info("the channels of %zu values between layers are equalized%s", n,
                 run->apart.watched == NULL ? "" : ", for targets of one scale a weight tensor");
    return rc;
}

int run_see(struct run *run, struct error *err)
{
    int rc = comm_agree(run->comm, apart_see(&run->apart, run->graph, run->measured, err), err);

    run->observation = run->apart.plain == NULL ? run->measured : run->apart.plain;
    return rc;
}

bool run_is_apart(const struct run *run, size_t i)
{
    const struct run_request *q = run->request;

    return run->apart.watched != NULL && run_equalizes(q, target_profile(q->targets[i], &q->target_settings));
}

/* The pass that measures. */
static struct pass_request pass_over_watched(const struct run *run, const char *what)
{
    struct pass_request request = run_pass_over(run, run->dataset, run->inputs, what);

    if (run->apart.watched != NULL)
        request.graph = run->apart.watched;
    return request;
}

static int measure_once(struct run *run, const char *what, struct error *err)
{
    const struct run_request *q = run->request;
    struct measure_request request = {.pass = pass_over_watched(run, what),
                                      .bins = q->calibration.bins,
                                      .channel_bins = channel_bins(q),
                                      .collects = run_collects(q),
                                      .stop_when_stable = q->calibration.stop_when_stable,
                                      .method = q->calibration.activations,
                                      .percentile = q->calibration.percentile,
                                      .checkpoint = run->checkpoint};

    request.pass.is_serial = q->calibration.has_two_passes;
    return measure_run(run->comm, &request, &run->measured, &run->records, err);
}

/* Both passes see what TNN's tool would see, to the last bit. */
static int measure_twice(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    struct pass_request request = pass_over_watched(run, "calibration, second pass");
    int rc = run->checkpoint != NULL && checkpoint_is_second(run->checkpoint)
                 ? measure_resume(run->comm, request.graph, q->calibration.bins, channel_bins(q), run_collects(q),
                                  run->checkpoint, &run->measured, err)
                 : measure_once(run, "calibration, first pass", err);

    request.is_serial = true;
    if (rc == 0 && run->checkpoint != NULL)
        checkpoint_end_first(run->checkpoint);
    pass_result_fini(&run->records); /* the second pass sees the same records */
    return rc == 0 ? measure_ranges(run->comm, &request, run->measured, run->checkpoint, &run->records, err) : rc;
}

static int measure(struct run *run, struct error *err)
{
    return run->request->calibration.has_two_passes ? measure_twice(run, err) : measure_once(run, "calibration", err);
}

static int measure_with_checkpoint(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    struct keep_subject subject = {.request = q,
                                   .graph = run->apart.watched == NULL ? run->graph : run->apart.watched,
                                   .channel_bins = channel_bins(q),
                                   .collects = run_collects(q),
                                   .n_records = dataset_count(run->dataset),
                                   .statistics = run->statistics,
                                   .measurement = run->measurement,
                                   .model = run->model,
                                   .probe = run->probe};
    int rc;

    run->checkpoint = checkpoint_open(run->comm, &subject, run->output, err);
    if (run->checkpoint == NULL)
        return -1;
    rc = measure(run, err);
    checkpoint_close(run->checkpoint);
    run->checkpoint = NULL;
    return rc;
}

int run_measure(struct run *run, bool may_reuse, struct error *err)
{
    int rc = may_reuse ? reuse(run, err) : 0;

    check_cores(run->comm, run->request->threads);
    if (rc == 0)
        rc = run_equalize(run, err);
    if (rc == 0 && run->measured == NULL)
        rc = run->keeps_checkpoints ? measure_with_checkpoint(run, err) : measure(run, err);
    return rc == 0 ? run_see(run, err) : rc;
}

static struct plan *simulated_plan(const struct run *run, size_t i)
{
    return run->request->n_ready > 0 ? run->ready[i].plan : run->targets[i].plan;
}

/* What is evaluated: as of an evaluate_request. */
struct scored {
    struct plan **plans;
    const struct equalized_value *const **equalized;
};

/* The plans that exist, in the order of targets, with their places in the evaluation. */
static size_t list_plans(struct run *run, struct scored scored)
{
    size_t n = 0;

    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL) {
            run->targets[i].evaluation = n;
            scored.equalized[n] = run_is_apart(run, i) ? run->apart.of_value : run->of_reference;
            scored.plans[n++] = simulated_plan(run, i);
        }
    return n;
}

/* The plan of a target as it is where the chip rounds in the other way than we think. */
static struct plan *make_variant(const struct plan *plan, struct report_target *t, struct run_variant *variant)
{
    const struct profile *known = plan->profile;
    bool is_requantization = known->other_requantization_rounding != known->requantization_rounding;

    variant->profile = *known;
    variant->profile.activation_rounding = known->other_activation_rounding;
    variant->profile.requantization_rounding = known->other_requantization_rounding;
    variant->plan = *plan;
    variant->plan.profile = &variant->profile;
    snprintf(
        t->variant_name, sizeof t->variant_name, "%s",
        rounding_name(is_requantization ? known->other_requantization_rounding : known->other_activation_rounding));
    return &variant->plan;
}

/* Behind the n plans of the targets. */
static size_t list_variants(struct run *run, struct scored scored, size_t n)
{
    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        t->has_variant = t->plan != NULL && t->plan->profile->rounding_is_unknown;
        if (!t->has_variant)
            continue;
        t->variant = n;
        scored.equalized[n] = scored.equalized[t->evaluation];
        scored.plans[n++] = make_variant(simulated_plan(run, i), t, &run->variants[i]);
    }
    return n;
}

/* Local. What the target cannot express, and what no simulator can run: that would end the whole evaluation, here it
 * costs its own target only. Without data nothing simulates or corrects: then codes are let go as soon as may be. */
static int check_target(const struct run *run, const struct target *target, struct plan *plan, struct error *err)
{
    int rc;

    if (plan->graph->batch > 1 && !target->takes_batch)
        return error_set(err, EX_UNAVAILABLE, "a batch of %lld: only models of one record are written",
                         (long long)plan->graph->batch);
    if (simulator_check(plan, err) != 0)
        return -1;
    if (run->has_no_data && target->writes_no_codes)
        plan_drop_codes(plan);
    rc = target->check == NULL ? 0 : target->check(plan, err);
    if (run->has_no_data)
        plan_drop_codes(plan);
    return rc;
}

/* What the archive decided for this target from the same statistics in the same way, or NULL. */
static const struct archive_target *earlier_decisions(const struct run *run, const struct report_target *t)
{
    for (size_t i = 0; i < run->earlier.n_targets; i++) {
        const struct archive_target *earlier = &run->earlier.targets[i];

        if (strcmp(earlier->fingerprint, t->fingerprint) == 0 && earlier->n_decisions > 0)
            return earlier;
    }
    return NULL;
}

/* Local, the same on every rank. What methods want to know was counted; only an archive may be without it. */
static int check_extras(const struct run *run, struct error *err)
{
    const struct extras *extras = run->observation->extras;
    unsigned missing = run_collects(run->request) & ~(extras == NULL ? 0 : extras->kinds);

    return missing == 0 ? 0
                        : error_set(err, EX_UNAVAILABLE,
                                    "\"%s\" wants to know more than histograms, and the archive has not recorded it: "
                                    "its calibration was asked for other methods (`etalon methods`: records)",
                                    name_of_wants(run->request, missing));
}

/* Local, the same on every rank. `rounding: auto` meant the nearest to every target of a job of several kinds once:
 * what was decided so is there for an archive without data, which could not choose by outputs anyway. */
static int find_decisions(const struct run *run, struct report_target *t, bool is_apart,
                          const struct archive_target **found, struct error *err)
{
    const struct run_request *q = run->request;
    bool by_output = run_rounds_by_output(q, target_profile(t->target, &q->target_settings));
    char todays[sizeof t->fingerprint];

    if (fingerprint_target(q, run->statistics, t->target, is_apart, by_output, t->fingerprint, err) != 0)
        return -1;
    *found = earlier_decisions(run, t);
    if (*found != NULL || !run->has_no_data || is_apart || !by_output ||
        q->calibration.rounding != WEIGHT_ROUNDING_AUTO)
        return 0;
    memcpy(todays, t->fingerprint, sizeof todays);
    if (fingerprint_target(q, run->statistics, t->target, is_apart, false, t->fingerprint, err) != 0)
        return -1;
    *found = earlier_decisions(run, t);
    if (*found == NULL)
        memcpy(t->fingerprint, todays, sizeof todays);
    else
        log_info("target %s: weights are rounded to the nearest, as the archive has decided", t->target->name);
    return 0;
}

/* Collective. A target's plan, checked; EX_UNAVAILABLE where the target cannot express the model. */
static int decide_target(struct run *run, size_t i, struct error *err)
{
    struct report_target *t = &run->targets[i];
    const struct profile *profile = target_profile(t->target, &run->request->target_settings);
    bool is_tool_exact = profile->is_tool_exact, is_apart = run_is_apart(run, i);
    const struct archive_target *earlier = NULL;
    int rc = comm_agree(run->comm, find_decisions(run, t, is_apart, &earlier, err), err);

    if (rc != 0)
        return rc;
    t->is_replayed = earlier != NULL;
    if (run->has_no_data && earlier == NULL && !is_tool_exact &&
        run->request->calibration.bias_correction == BIAS_CORRECTION_SIMULATED)
        return error_set(
            err, EX_UNAVAILABLE,
            "bias_correction: simulated needs the calibration data, and the archive has not recorded it for "
            "this target and these methods; analytic and none need the archive alone "
            "(--set calibration.bias_correction=analytic)");
    if (run->has_no_data && earlier == NULL && run_rounds_by_output(run->request, profile))
        return error_set(err, EX_UNAVAILABLE,
                         "rounding: output needs the calibration data, and the archive has not recorded it for this "
                         "target and these methods; nearest needs the archive alone "
                         "(--set calibration.rounding=nearest)");
    if (earlier == NULL && check_extras(run, err) != 0)
        return -1;
    if (run->has_no_data && earlier == NULL && !is_tool_exact && run->request->calibration.refine > 0)
        return error_set(err, EX_UNAVAILABLE,
                         "refine: %u needs the calibration data, and the archive has not recorded it for this target "
                         "and these methods; 0 needs the archive alone (--set calibration.refine=0)",
                         run->request->calibration.refine);
    rc = decide_plan(run->comm, run->request, t->target, is_apart ? run->apart.observation : run->observation, earlier,
                     &t->plan, err);
    if (rc == 0)
        rc = comm_agree(run->comm, check_target(run, t->target, t->plan, err), err);
    return rc;
}

/* Collective. */
static int find_convergence(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    double started = clock_seconds();
    int rc = convergence_find(run->comm, q->calibration.activations, q->calibration.percentile, run->observation->parts,
                              &run->convergence, err);

    log_debug("thresholds against the number of records: %.2f s", clock_seconds() - started);
    return rc;
}

static void warn_of_few_records(const struct run *run, const struct target *target)
{
    char text[128];

    if (report_advice(target, &run->records, text, sizeof text))
        log_warning("target %s: %s", target->name, text);
}

int run_decide(struct run *run, struct error *err)
{
    if (find_convergence(run, err) != 0)
        return -1;
    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        t->target = run->request->targets[i];
        warn_of_few_records(run, t->target);
        if (decide_target(run, i, err) == 0)
            continue;
        if (err->code != EX_UNAVAILABLE)
            return error_in(err, "target %s", t->target->name);
        t->error = *err;
        *err = (struct error){0};
        plan_destroy(t->plan);
        t->plan = NULL;
    }
    run_report_failures(run);
    return run_decide_by_data(run, err);
}

int run_score(struct run *run, bool with_choices, struct error *err)
{
    const struct run_request *q = run->request;
    struct plan *plans[2 * RUN_MAX_TARGETS];
    const struct equalized_value *const *equalized[2 * RUN_MAX_TARGETS];
    struct scored scored = {plans, equalized};
    struct evaluate_request request = {
        .pass = run_pass_over(run, run->evaluation_dataset, run->evaluation_inputs, "evaluation"),
        .task = run->task,
        .n_targets = list_variants(run, scored, list_plans(run, scored)),
        .plans = plans,
        .equalized = equalized,
        .original = run->original,
        .with_choices = with_choices,
        .with_local_errors = q->evaluate.with_local_errors,
        .skips_layers = q->evaluate.skips_layers};

    if (q->evaluate.is_skipped)
        return 0;
    if (run->reference != NULL)
        request.pass.graph = run->reference;
    request.pass.n_extra = run->task.has_label_maps;
    run->is_evaluated = true;
    return evaluate_run(run->comm, &request, &run->evaluation, err);
}
