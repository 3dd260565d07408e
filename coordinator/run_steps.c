/* run_steps.c — measure, decide, score; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/log.h"
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

bool run_has_short_biases(const struct run_request *q)
{
    for (size_t i = 0; i < q->n_targets; i++)
        if (target_profile(q->targets[i], &q->target_settings)->bias_limit > 0)
            return true;
    return false;
}

unsigned run_collects(const struct run_request *q)
{
    unsigned kinds = q->calibration.activations->wants | q->calibration.weights->wants;

    for (size_t i = 0; i < q->calibration.n_overrides; i++)
        if (q->calibration.overrides[i].activations != NULL)
            kinds |= q->calibration.overrides[i].activations->wants;
    return kinds;
}

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

/* Collective. The statistics of an earlier run, where every rank sees its archive: an output folder on one host's disk
 * is no reason for the others to wait for ever. */
static int reuse(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    char path[4096];
    int32_t is_missing;
    int rc;

    snprintf(path, sizeof path, "%s/archive.h5", q->output);
    rc = keep_load(path, run->graph, run->statistics, q->calibration.bins, channel_bins(q), &run->observation,
                   &run->records, &run->earlier, err);
    rc = comm_agree(run->comm, rc, err);
    if (rc != 0)
        return rc;
    is_missing = run->observation == NULL;
    comm_max_int32(run->comm, &is_missing, 1);
    if (!is_missing) {
        log_info("statistics come from %s", path);
        return pass_check_bad(&run->records, q->max_bad_records, err);
    }
    observation_destroy(run->observation);
    run->observation = NULL;
    pass_result_fini(&run->records);
    archive_fini(&run->earlier);
    return 0;
}

int run_equalize(struct run *run, struct error *err)
{
    int rc = 0;

    if (run->observation != NULL)
        rc = keep_take_equalization(&run->earlier, run->observation, &run->equalization, err);
    else if (run->request->calibration.equalization == EQUALIZATION_WEIGHTS)
        rc = equalize_find(run->comm, run->graph, run->dataset, run->inputs, run_has_short_biases(run->request),
                           &run->equalization, err);
    if (rc == 0)
        rc = equalization_apply(run->graph, &run->equalization, err);
    if (rc == 0 && run->equalization.n > 0)
        log_info("the channels of %zu values between layers are equalized", run->equalization.n);
    rc = comm_agree(run->comm, rc, err);
    if (rc == 0) /* from here on nobody changes a constant */
        node_share_constants(run->comm, run->graph, &run->constants);
    return rc;
}

static int measure_once(struct run *run, const char *what, struct error *err)
{
    const struct run_request *q = run->request;
    struct measure_request request = {.pass = run_pass_over(run, run->dataset, run->inputs, what),
                                      .bins = q->calibration.bins,
                                      .channel_bins = channel_bins(q),
                                      .collects = run_collects(q),
                                      .stop_when_stable = q->calibration.stop_when_stable,
                                      .method = q->calibration.activations,
                                      .percentile = q->calibration.percentile,
                                      .checkpoint = run->checkpoint};

    request.pass.is_serial = q->calibration.has_two_passes;
    return measure_run(run->comm, &request, &run->observation, &run->records, err);
}

/* Both passes see what TNN's tool would see, to the last bit. */
static int measure_twice(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    struct pass_request request = run_pass_over(run, run->dataset, run->inputs, "calibration, second pass");
    int rc = run->checkpoint != NULL && checkpoint_is_second(run->checkpoint)
                 ? measure_resume(run->comm, run->graph, q->calibration.bins, channel_bins(q), run_collects(q),
                                  run->checkpoint, &run->observation, err)
                 : measure_once(run, "calibration, first pass", err);

    request.is_serial = true;
    if (rc == 0 && run->checkpoint != NULL)
        checkpoint_end_first(run->checkpoint);
    pass_result_fini(&run->records); /* the second pass sees the same records */
    return rc == 0 ? measure_ranges(run->comm, &request, run->observation, run->checkpoint, &run->records, err) : rc;
}

int run_measure(struct run *run, bool may_reuse, struct error *err)
{
    const struct run_request *q = run->request;
    int rc = may_reuse ? reuse(run, err) : 0;

    check_cores(run->comm, q->threads);
    if (rc == 0)
        rc = run_equalize(run, err);
    if (rc == 0 && run->observation == NULL)
        rc = q->calibration.has_two_passes ? measure_twice(run, err) : measure_once(run, "calibration", err);
    return rc;
}

int run_measure_with_checkpoint(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    struct keep_subject subject = {.request = q,
                                   .graph = run->graph,
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
    rc = run_measure(run, run->may_reuse && !q->starts_anew, err);
    checkpoint_close(run->checkpoint);
    run->checkpoint = NULL;
    return rc;
}

static struct plan *simulated_plan(const struct run *run, size_t i)
{
    return run->request->n_ready > 0 ? run->ready[i].plan : run->targets[i].plan;
}

/* The plans that exist, in the order of targets, with their places in the evaluation. */
static size_t list_plans(struct run *run, struct plan *plans[RUN_MAX_TARGETS])
{
    size_t n = 0;

    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL) {
            run->targets[i].evaluation = n;
            plans[n++] = simulated_plan(run, i);
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
static size_t list_variants(struct run *run, struct plan **plans, size_t n)
{
    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        t->has_variant = t->plan != NULL && t->plan->profile->rounding_is_unknown;
        if (!t->has_variant)
            continue;
        t->variant = n;
        plans[n++] = make_variant(simulated_plan(run, i), t, &run->variants[i]);
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

/* Collective. A target's plan, checked; EX_UNAVAILABLE where the target cannot express the model. */
static int decide_target(struct run *run, struct report_target *t, struct error *err)
{
    bool is_tool_exact = target_profile(t->target, &run->request->target_settings)->is_tool_exact;
    const struct archive_target *earlier;
    int rc =
        comm_agree(run->comm, fingerprint_target(run->request, run->statistics, t->target, t->fingerprint, err), err);

    if (rc != 0)
        return rc;
    earlier = earlier_decisions(run, t);
    t->is_replayed = earlier != NULL;
    if (run->has_no_data && earlier == NULL && !is_tool_exact &&
        run->request->calibration.bias_correction == BIAS_CORRECTION_SIMULATED)
        return error_set(
            err, EX_UNAVAILABLE,
            "bias_correction: simulated needs the calibration data, and the archive has not recorded it for "
            "this target and these methods; analytic and none need the archive alone "
            "(--set calibration.bias_correction=analytic)");
    if (run->has_no_data && earlier == NULL && run->request->calibration.rounding == WEIGHT_ROUNDING_OUTPUT)
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
    rc = decide_plan(run->comm, run->request, t->target, run->observation, earlier, &t->plan, err);
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
        if (decide_target(run, t, err) == 0)
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
    struct evaluate_request request = {
        .pass = run_pass_over(run, run->evaluation_dataset, run->evaluation_inputs, "evaluation"),
        .task = run->task,
        .n_targets = list_variants(run, plans, list_plans(run, plans)),
        .plans = plans,
        .original = run->original,
        .with_choices = with_choices,
        .with_local_errors = q->evaluate.with_local_errors,
        .skips_layers = q->evaluate.skips_layers};

    if (q->evaluate.is_skipped)
        return 0;
    request.pass.n_extra = run->task.has_label_maps;
    run->is_evaluated = true;
    return evaluate_run(run->comm, &request, &run->evaluation, err);
}
