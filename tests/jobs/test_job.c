/* test_job.c — job files: what they become, and what is wrong with them, to the line and column. */
#include "jobs/job.h"

#include "common/log.h"
#include "common/preprocess_preset.h"
#include "common/preprocess_text.h"
#include "worker/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/etalon-job.XXXXXX", path[64];

/* The lines that every job needs; more follow in line 5. */
static const char start[] = "model: {file: net.onnx}\n"
                            "dataset: {kind: images, path: /data/pictures}\n"
                            "targets: [onnx-qdq]\n"
                            "output: out\n";

static void write_job(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The job of `start`, then `more`, then --set each of `sets` (up to NULL). */
static struct job *read_job(const char *more, const char *const *sets, struct error *err)
{
    char text[1 << 16];
    size_t n_sets = 0;

    assert_true((size_t)snprintf(text, sizeof text, "%s%s", start, more) < sizeof text);
    write_job(text, strlen(text));
    while (sets != NULL && sets[n_sets] != NULL)
        n_sets++;
    *err = (struct error){0};
    return job_read(path, sets, n_sets, err);
}

static struct job *must_read(const char *more, const char *const *sets)
{
    struct error err;
    struct job *job = read_job(more, sets, &err);

    if (job == NULL)
        fail_msg("%s", err.text);
    return job;
}

static void check_error(const struct job *job, const struct error *err, int code, const char *expected)
{
    assert_null(job);
    assert_int_equal(err->code, code);
    if (strstr(err->text, expected) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", err->text, expected);
}

/* Also names the file, in every message. */
static void refused(const char *more, const char *expected)
{
    struct error err;
    struct job *job = read_job(more, NULL, &err);

    check_error(job, &err, EX_CONFIG, expected);
    assert_memory_equal(err.text, path, strlen(path));
}

static void refused_set(const char *set, int code, const char *expected)
{
    const char *const sets[] = {set, NULL};
    struct error err;
    struct job *job = read_job("", sets, &err);

    check_error(job, &err, code, expected);
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct job *job = must_read("", NULL);
    const struct run_request *q = job_request(job);

    (void)state;
    assert_string_equal(q->calibration.activations->name, "mse");
    assert_string_equal(q->calibration.weights->name, "sweep");
    assert_int_equal(q->calibration.granularity, GRANULARITY_MIXED);
    assert_int_equal(q->calibration.bins, 8192);
    assert_int_equal(q->calibration.channel_bins, 2048);
    assert_int_equal(q->calibration.block, 8);
    assert_int_equal(q->calibration.bias_correction, BIAS_CORRECTION_SIMULATED);
    assert_int_equal(q->calibration.rounding, WEIGHT_ROUNDING_AUTO);
    assert_int_equal(q->calibration.equalization, EQUALIZATION_AUTO);
    assert_int_equal(q->calibration.zero_points, ZERO_POINTS_AUTO);
    assert_int_equal(q->calibration.n_overrides, 0);
    assert_int_equal(q->evaluate.n_top_k, 2);
    assert_int_equal(q->evaluate.top_k[0], 1);
    assert_int_equal(q->evaluate.top_k[1], 5);
    assert_null(q->evaluate.dataset.kind);
    assert_false(q->evaluate.is_skipped);
    assert_int_equal(q->threads, 1);
    assert_string_equal(q->isa, "native");
    assert_int_equal(q->max_bad_records, 0);
    assert_int_equal(q->stall_seconds, 300);
    assert_int_equal(q->dataset.limit, 0);
    assert_int_equal(q->preprocess.n_steps, 0);
    assert_false(q->force);
    job_destroy(job);
}

static void inputs_take_what_they_do_not_say_from_the_dataset(void **state)
{
    struct job *job = must_read("preprocess: {left: [{scale: 2}], right: []}\n"
                                "evaluate: {dataset: {kind: lmdb, path: sets, limit: 7, inputs: [left, right]}}\n",
                                (const char *const[]){"dataset={kind: images, limit: 5, list: l.txt, inputs: {left: "
                                                      "{path: a}, right: {kind: lmdb, path: /b}}}",
                                                      NULL});
    const struct run_request *q = job_request(job);
    const struct dataset_input *inputs = q->dataset.inputs;

    (void)state;
    assert_null(q->dataset.kind);
    assert_int_equal(q->dataset.limit, 5);
    assert_int_equal(q->dataset.n_inputs, 2);
    assert_string_equal(inputs[0].name, "left");
    assert_string_equal(inputs[0].request.kind, "images");
    assert_non_null(strstr(inputs[0].request.path, "/a"));
    assert_non_null(strstr(inputs[0].request.list, "/l.txt"));
    assert_int_equal(inputs[0].request.limit, 0);
    assert_string_equal(inputs[1].request.kind, "lmdb");
    assert_string_equal(inputs[1].request.path, "/b");
    assert_int_equal(q->evaluate.dataset.n_inputs, 2);
    assert_non_null(strstr(q->evaluate.dataset.inputs[1].request.path, "sets/right"));
    assert_int_equal(q->preprocess.n_steps, 0);
    assert_int_equal(q->n_preprocess_inputs, 2);
    assert_string_equal(q->preprocess_inputs[0].name, "left");
    assert_int_equal(q->preprocess_inputs[0].plan.steps[0].kind, STEP_SCALE);
    assert_int_equal(q->preprocess_inputs[1].plan.n_steps, 0);
    job_destroy(job);
}

static void every_key_reaches_the_request(void **state)
{
    struct job *job =
        must_read("preprocess: [{resize: {short: 256, filter: nearest}}, {crop: {height: 224, width: 225}},\n"
                  "  {channels: bgr}, {mean: [104, 117, 123]}, {scale: 0.5}, {divide: [2, 4, 8]}]\n"
                  "calibration: {activations: kl, weights: admm, granularity: per-channel, bins: 4096,\n"
                  "  channel_bins: 512, block: 3, percentile: 0.5, bias_correction: analytic, passes: one,\n"
                  "  zero_points: fixed,\n"
                  "  overrides: [{node: 'fc*', precision: float}, {node: conv1, activations: minmax}]}\n"
                  "target_options: {tnn: {mode: corrected}, onnx-qdq: {flavour: tensorrt}}\n"
                  "evaluate: {top_k: [3], dataset: {kind: lmdb, path: val, limit: 7}}\n"
                  "engine: {threads: 5, decode_threads: 2, prefetch: 300, isa: avx2}\n"
                  "limits: {max_bad_records: 18446744073709551615}\n",
                  NULL);
    const struct run_request *q = job_request(job);

    (void)state;
    assert_int_equal(q->preprocess.n_steps, 6);
    assert_int_equal(q->preprocess.steps[0].kind, STEP_RESIZE);
    assert_int_equal(q->preprocess.steps[0].resize.fit, FIT_SHORT);
    assert_int_equal(q->preprocess.steps[0].resize.height, 256);
    assert_int_equal(q->preprocess.steps[0].resize.filter, FILTER_NEAREST);
    assert_int_equal(q->preprocess.steps[1].crop.width, 225);
    assert_int_equal(q->preprocess.steps[2].channels, CHANNELS_BGR);
    assert_int_equal(q->preprocess.steps[3].n_values, 3);
    assert_true(q->preprocess.steps[3].values[2] == 123);
    assert_true(q->preprocess.steps[4].n_values == 1 && q->preprocess.steps[4].values[0] == 0.5f);
    assert_int_equal(q->preprocess.steps[5].kind, STEP_DIVIDE);
    assert_string_equal(q->calibration.activations->name, "kl");
    assert_string_equal(q->calibration.weights->name, "admm");
    assert_int_equal(q->calibration.granularity, GRANULARITY_PER_CHANNEL);
    assert_int_equal(q->calibration.bins, 4096);
    assert_int_equal(q->calibration.channel_bins, 512);
    assert_int_equal(q->calibration.block, 3);
    assert_true(q->calibration.percentile == 0.5);
    assert_int_equal(q->calibration.bias_correction, BIAS_CORRECTION_ANALYTIC);
    assert_int_equal(q->calibration.zero_points, ZERO_POINTS_FIXED);
    assert_int_equal(q->calibration.n_overrides, 2);
    assert_string_equal(q->calibration.overrides[0].node, "fc*");
    assert_int_equal(q->calibration.overrides[0].precision, PRECISION_FLOAT);
    assert_null(q->calibration.overrides[0].activations);
    assert_string_equal(q->calibration.overrides[1].activations->name, "minmax");
    assert_int_equal(q->calibration.overrides[1].precision, PRECISION_DEFAULT);
    assert_string_equal(target_setting(&q->target_settings, target_find("onnx-qdq"), "flavour"), "tensorrt");
    assert_string_equal(target_setting(&q->target_settings, target_find("tnn"), "mode"), "corrected");
    assert_int_equal(q->evaluate.n_top_k, 1);
    assert_int_equal(q->evaluate.top_k[0], 3);
    assert_string_equal(q->evaluate.dataset.kind, "lmdb");
    assert_int_equal(q->evaluate.dataset.limit, 7);
    assert_int_equal(q->threads, 5);
    assert_int_equal(q->decode_threads, 2);
    assert_int_equal(q->prefetch_mib, 300);
    assert_string_equal(q->isa, "avx2");
    assert_true(q->max_bad_records == UINT64_MAX);
    job_destroy(job);
}

static void a_printed_chain_reads_back_as_the_same_chain(void **state)
{
    char text[4096] = "preprocess:\n";
    struct job *job = must_read("preprocess: [{resize: {short: 256, filter: nearest}}, {resize: {side: 9, pad: 0.1}},\n"
                                "  {resize: {height: 7, width: 8, filter: opencv_linear}}, {channels: gray},\n"
                                "  {crop: {height: 5, width: 6}}, {mean: [103.939, 1.0e-20, -7]}, {scale: 0.017},\n"
                                "  {divide: [0.229, 0.3]}]\n",
                                NULL),
               *again;
    const struct preprocess_plan *plan = &job_request(job)->preprocess;
    FILE *out = fmemopen(text + strlen(text), sizeof text - strlen(text), "w");

    (void)state;
    assert_non_null(out);
    preprocess_print(plan, "  ", out);
    assert_int_equal(fclose(out), 0);
    again = must_read(text, NULL);
    assert_int_equal(plan->n_steps, 8);
    assert_memory_equal(plan, &job_request(again)->preprocess, sizeof *plan);
    job_destroy(again);
    job_destroy(job);
}

static void a_preset_is_a_step_or_a_chain_of_its_own(void **state)
{
    static const char *const texts[] = {"preprocess: {preset: inception}\n", "preprocess: [{preset: inception}]\n",
                                        "preprocess: {data: {preset: inception}}\n"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct job *job = must_read(texts[i], NULL);
        const struct run_request *q = job_request(job);
        const struct preprocess_plan *plan = i < 2 ? &q->preprocess : &q->preprocess_inputs[0].plan;

        assert_int_equal(plan->n_steps, 1);
        assert_int_equal(plan->steps[0].kind, STEP_PRESET);
        assert_int_equal(plan->steps[0].preset, PRESET_INCEPTION);
        assert_int_equal(q->n_preprocess_inputs, i < 2 ? 0 : 1);
        job_destroy(job);
    }
    refused("preprocess: {preset: vvg}\n", "line 5, column 22: preset \"vvg\" does not exist; the nearest is \"vgg\"");
    refused("preprocess: [{preset: [vgg]}]\n", "expected preset");
}

static void the_model_may_tell_what_the_job_leaves_out(void **state)
{
    static const char text[] = "model: {file: a}\ntargets: [onnx-qdq]\noutput: c\n";
    struct error err = {0};
    struct job *job = must_read("", NULL);
    const char *const sets[] = {"dataset.limit=7", NULL}, *const no_kind[] = {"dataset.path=x", NULL};

    (void)state;
    assert_true(job_request(job)->may_take_preprocess);
    job_destroy(job);
    job = must_read("preprocess: []\n", NULL);
    assert_false(job_request(job)->may_take_preprocess);
    job_destroy(job);
    write_job(text, strlen(text));
    job = job_read(path, sets, 1, &err);
    assert_non_null(job);
    assert_false(dataset_is_given(&job_request(job)->dataset));
    assert_int_equal(job_request(job)->dataset.limit, 7);
    assert_int_equal(job_request(job)->calibration.block, 0);
    job_destroy(job);
    check_error(job_read(path, no_kind, 1, &err), &err, EX_CONFIG, "a dataset needs \"kind\" and \"path\"");
}

static void paths_are_relative_to_the_job_file(void **state)
{
    struct job *job = must_read("", NULL);
    const struct run_request *q = job_request(job);
    char expected[128];

    (void)state;
    snprintf(expected, sizeof expected, "%s/net.onnx", folder);
    assert_string_equal(q->model.file, expected);
    snprintf(expected, sizeof expected, "%s/out", folder);
    assert_string_equal(q->output, expected);
    assert_string_equal(q->dataset.path, "/data/pictures");
    assert_string_equal(q->model_name, "net");
    job_destroy(job);
}

static void a_path_out_of_the_folder_is_told_short_but_not_through_a_link(void **state)
{
    const char *const sets[] = {"output=../../out", "model.file=../etalon-job/../net.onnx", NULL};
    char expected[sizeof path], link[sizeof folder + sizeof ".link"];
    struct job *job = must_read("", sets);

    (void)state;
    assert_string_equal(job_request(job)->output, "/tmp/../out"); /* "/tmp" has no shorter name for its parent */
    assert_string_equal(job_request(job)->model.file, "/tmp/etalon-job/../net.onnx");
    job_destroy(job);

    snprintf(link, sizeof link, "%s.link", folder);
    assert_int_equal(symlink(folder, link), 0);
    snprintf(path, sizeof path, "%s/job.yaml", link);
    snprintf(expected, sizeof expected, "%s/../out", link);
    job = must_read("", (const char *const[]){"output=../out", NULL});
    assert_string_equal(job_request(job)->output, expected);
    job_destroy(job);
    snprintf(path, sizeof path, "%s/job.yaml", folder);
    assert_int_equal(unlink(link), 0);
}

static void edits_of_the_network_reach_the_request(void **state)
{
    const char *const sets[] = {"model.remove_nodes={names: [prob], types: [Softmax, Cast]}",
                                "model.keep=['bn*', relu]",
                                "model.input_batch=4",
                                "model.separate_batch=true",
                                "model.separate_name=[x]",
                                NULL};
    struct job *job = must_read("", sets);
    const struct model_request *model = &job_request(job)->model;

    (void)state;
    assert_int_equal(model->remove.n_names, 1);
    assert_string_equal(model->remove.names[0], "prob");
    assert_int_equal(model->remove.n_types, 2);
    assert_string_equal(model->remove.types[1], "Cast");
    assert_int_equal(model->n_kept, 2);
    assert_string_equal(model->kept[0], "bn*");
    assert_int_equal(model->batch.size, 4);
    assert_true(model->batch.is_separate);
    assert_string_equal(model->batch.separate[0], "x");
    job_destroy(job);
    refused_set("model.remove_nodes.types=[Softmaxx]", EX_CONFIG, "the nearest is \"Softmax\"");
    refused_set("model.keep=bn", EX_CONFIG, "a list of names");
}

static void unknown_keys_and_words_name_place_and_nearest(void **state)
{
    (void)state;
    refused("evalute: {}", "line 5, column 1: key \"evalute\" does not exist; the nearest is \"evaluate\"");
    refused("calibration:\n  bims: 512", "line 6, column 3: key \"bims\" does not exist; the nearest is \"bins\"");
    refused("calibration: {activations: mze}", "line 5, column 28: activations method \"mze\" does not exist; the "
                                               "nearest is \"mse\"");
    refused("calibration: {weights: sweap}", "the nearest is \"sweep\"");
    refused("calibration: {granularity: per_channel}", "the nearest is \"per-channel\"");
    refused("calibration: {overrides: [{node: a, precision: flaot}]}", "the nearest is \"float\"");
    refused("evaluate: {dataset: {inputs: [left]}}", "input \"left\" needs \"kind\" and \"path\"");
    refused("evaluate: {dataset: {kind: images, path: x, inputs: [a, a]}}", "input \"a\" is listed twice");
    refused("evaluate: {dataset: {kind: images, path: x, inputs: []}}", "at most 16 inputs' names");
    refused("evaluate: {dataset: {inputs: {a: {kind: images, path: x, inputs: [b]}}}}",
            "key \"inputs\" does not exist");
    refused("preprocess: [{men: 3}]", "key \"men\" does not exist; the nearest is \"mean\"");
    refused("preprocess: [{channels: brg}]", "line 5, column 25");
    refused("evaluate: {dataset: {kind: lmdbb, path: x}}",
            "dataset kind \"lmdbb\" does not exist; the nearest is \"lmdb\"");
    refused("target_options: {tmn: {}}", "the nearest is \"tnn\"");
    refused("target_options: {tnn: {mod: corrected}}", "the nearest is \"mode\"");
    refused("target_options: {onnx-qdq: {flavour: trt}}", "the nearest is \"ort\"");
    refused("target_options: {tnn: corrected}", "expected keys");
}

static void wrong_types_and_ranges_say_what_is_expected_and_found(void **state)
{
    (void)state;
    refused("calibration: 3", "line 5, column 14: expected keys, found \"3\"");
    refused("calibration: {bins: [1]}", "expected a whole number, 0 or more, found a list");
    refused("calibration: {bins: 1000}", "a power of two from 256 to 65536, found \"1000\"");
    refused("calibration: {block: 0}", "1 to 1024 records, found \"0\"");
    refused("calibration: {block: -1}", "a whole number, 0 or more, found \"-1\"");
    refused("calibration: {block: 8x}", "found \"8x\"");
    refused("calibration: {percentile: 0}", "a fraction above 0, at most 1");
    refused("calibration: {percentile: nan}", "a finite number, found \"nan\"");
    refused("limits: {max_bad_records: 18446744073709551616}", "a whole number");
    refused("evaluate: {skip: yes}", "truth value \"yes\" does not exist");
    refused("evaluate: {top_k: []}", "a list of 1 to 4 numbers");
    refused("evaluate: {top_k: [1, 2, 3, 4, 5]}", "a list of 1 to 4 numbers");
    refused("evaluate: {dataset: {kind: lmdb}}", "a dataset needs \"kind\" and \"path\"");
    refused("preprocess: {mean: 3}", "a list of at most 16 steps, found \"3\"");
    refused("preprocess: [{mean: 3, scale: 2}]", "one step");
    refused("preprocess: [{mean: []}]", "one number, or a list of at most 16");
    refused("preprocess: [{divide: [1, 0]}]", "line 5, column 27: expected a divisor other than 0");
    refused("preprocess: [{resize: {short: 1, side: 2}}]", "resize needs either");
    refused("preprocess: [{resize: {height: 1}}]", "resize needs either");
    refused("preprocess: [{crop: {height: 1}}]", "crop needs height and width");
    refused("targets: [tnn]", "key \"targets\" is given twice, first in line 3");
    refused("? [a, b]\n: 3", "a key must be a plain word");
}

/* A mean of infinity would make every activation NaN, hours later. */
static void numbers_must_fit_a_float(void **state)
{
    (void)state;
    refused("preprocess: [{mean: 1e300}]", "a number that a float can hold, found \"1e300\"");
    refused("preprocess: [{scale: [1, -4e38, 1]}]", "a number that a float can hold, found \"-4e38\"");
    refused("preprocess: [{divide: 1e-60}]", "a divisor other than 0");
    refused("preprocess: [{resize: {side: 8, pad: 1e39}}]", "a number that a float can hold");
    refused("preprocess: [{resize: {side: 8, pad: [1]}}]", "expected a number, found a list");
}

static void missing_keys_are_named(void **state)
{
    struct error err = {0};
    static const char no_targets[] = "model: {file: a}\ndataset: {kind: images, path: b}\noutput: c\n";
    static const char no_file[] = "model: {}\ndataset: {kind: images, path: b}\noutput: c\ntargets: []\n";

    (void)state;
    write_job(no_targets, strlen(no_targets));
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "the key \"targets\" is missing");
    write_job(no_file, strlen(no_file));
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "the key \"model.file\" is missing");
    write_job("- a\n", 4);
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "expected keys such as \"model:\", found a list");
    write_job("", 0);
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "the document is empty");
    check_error(job_read("/nowhere/job.yaml", NULL, 0, &err), &err, EX_NOINPUT, "/nowhere/job.yaml");
}

static void whole_values_are_counted_beside_their_channels_unless_bins_are_equal(void **state)
{
    struct job *job = must_read("calibration: {granularity: per-channel}", NULL);
    const struct run_request *q = job_request(job);

    (void)state;
    assert_true(observation_has_wholes(q->calibration.bins, q->calibration.channel_bins));
    job_destroy(job);
}

static void set_overrides_adds_and_takes_lists(void **state)
{
    static const char *const sets[] = {"calibration.bins=256", "evaluate.dataset={kind: lmdb, path: /v}",
                                       "targets=[tnn, onnx-qdq]", "output=/elsewhere", NULL};
    struct job *job = must_read("calibration: {bins: 512, block: 4}", sets);
    const struct run_request *q = job_request(job);

    (void)state;
    assert_int_equal(q->calibration.bins, 256);
    assert_int_equal(q->calibration.block, 4);
    assert_string_equal(q->evaluate.dataset.path, "/v");
    assert_int_equal(q->n_targets, 2);
    assert_string_equal(q->targets[0]->name, "tnn");
    assert_string_equal(q->output, "/elsewhere");
    job_destroy(job);
}

static void a_wrong_set_says_so(void **state)
{
    (void)state;
    refused_set("calibration.bims=512", EX_CONFIG, "--set: key \"bims\" does not exist; the nearest is \"bins\"");
    refused_set("calibration.bins=12", EX_CONFIG, "--set: expected a power of two");
    refused_set("calibration.bins", EX_USAGE, "expected key=value, found \"calibration.bins\"");
    refused_set("=3", EX_USAGE, "expected key=value");
    refused_set("output=", EX_USAGE, "the value is no YAML");
    refused_set("output=[", EX_USAGE, "the value is no YAML");
    refused_set("output.deep=1", EX_USAGE, "\"output\" holds a value, not keys");
}

/* 10^9 values in a few lines; a map as large as the file allows; brackets without end; a node inside itself. */
static void a_small_file_cannot_become_a_large_job(void **state)
{
    size_t size = 1 << 20, at = 0;
    char *text = malloc(size + 2);
    struct error err = {0};

    (void)state;
    assert_non_null(text);
    at += (size_t)sprintf(text, "a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (char c = 'b'; c < 'j'; c++)
        at += (size_t)sprintf(text + at, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1,
                              c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
    write_job(text, at);
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "more than 100,000 values, aliases included");
    for (at = 0; at + 16 < size;)
        at += (size_t)sprintf(text + at, "k%zu:\n", at);
    write_job(text, at);
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "line 1, column 1: more than 1,000 keys");
    write_job("a: &a [*a]\n", 11);
    check_error(job_read(path, NULL, 0, &err), &err, EX_CONFIG, "nested deeper than 64");
    memset(text, ' ', size + 1);
    write_job(text, size + 1);
    check_error(job_read(path, NULL, 0, &err), &err, EX_DATAERR, "at most 1048576 bytes");
    free(text);
}

static void labels_of_pixels_have_a_class_are_ignored_or_are_wrong(void **state)
{
    struct job *job = must_read("evaluate: {segmentation: {}}\n", NULL);
    const struct run_request *q = job_request(job);

    (void)state;
    assert_true(q->evaluate.segmentation.is_asked && !dataset_is_given(&q->evaluate.segmentation.labels));
    assert_int_equal(q->evaluate.segmentation.classes.of[3], 3);
    assert_int_equal(q->evaluate.segmentation.classes.of[255], CLASS_IGNORED);
    job_destroy(job);

    job = must_read(
        "evaluate:\n  segmentation: {ignore: [0, 9], classes: {7: 0, 8: 1}, labels: {kind: images, path: m},\n"
        "    preprocess: [{resize: {height: 8, width: 8, filter: nearest}}]}\n",
        NULL);
    q = job_request(job);
    assert_int_equal(q->evaluate.segmentation.classes.of[0], CLASS_IGNORED);
    assert_int_equal(q->evaluate.segmentation.classes.of[8], 1);
    assert_int_equal(q->evaluate.segmentation.classes.of[10], CLASS_UNKNOWN);
    assert_int_equal(q->evaluate.segmentation.classes.of[255], CLASS_UNKNOWN);
    assert_int_equal(q->evaluate.segmentation.preprocess.n_steps, 1);
    job_destroy(job);

    job = must_read("evaluate: {segmentation: {classes: {7: 0}}}\n", NULL);
    assert_int_equal(job_request(job)->evaluate.segmentation.classes.of[255], CLASS_IGNORED);
    job_destroy(job);

    refused("evaluate: {segmentation: {classes: {256: 0}}}\n", "expected a label from 0 to 255");
    refused("evaluate: {segmentation: {classes: {0: 256}}}\n", "expected a class from 0 to 255");
    refused("evaluate: {segmentation: {classes: {7: 0}, ignore: 7}}\n", "a label that has no class");
    refused("evaluate: {segmentation: {labels: {kind: images}}}\n", "needs \"kind\" and \"path\"");
    refused("evaluate: {segmentation: {preprocess: [{mean: 1}]}}\n", "leaves labels as they are");
    refused("evaluate: {segmentation: {preprocess: [{resize: {height: 8, width: 8}}]}}\n", "filter nearest");
}

static void what_would_be_ignored_is_refused(void **state)
{
    (void)state;
    refused("---\ncalibration: {bins: 512}\n", "line 6, column 1: a second document");
    refused("...\ncalibration: {bins: 512}\n", "line 6");
    refused("calibration: {bins: \"512\\0\"}\n", "a text with a zero byte");
}

static int make_folder(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, -1);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/job.yaml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(inputs_take_what_they_do_not_say_from_the_dataset),
        cmocka_unit_test(every_key_reaches_the_request),
        cmocka_unit_test(a_printed_chain_reads_back_as_the_same_chain),
        cmocka_unit_test(a_preset_is_a_step_or_a_chain_of_its_own),
        cmocka_unit_test(the_model_may_tell_what_the_job_leaves_out),
        cmocka_unit_test(paths_are_relative_to_the_job_file),
        cmocka_unit_test(a_path_out_of_the_folder_is_told_short_but_not_through_a_link),
        cmocka_unit_test(edits_of_the_network_reach_the_request),
        cmocka_unit_test(unknown_keys_and_words_name_place_and_nearest),
        cmocka_unit_test(wrong_types_and_ranges_say_what_is_expected_and_found),
        cmocka_unit_test(numbers_must_fit_a_float),
        cmocka_unit_test(missing_keys_are_named),
        cmocka_unit_test(whole_values_are_counted_beside_their_channels_unless_bins_are_equal),
        cmocka_unit_test(set_overrides_adds_and_takes_lists),
        cmocka_unit_test(a_wrong_set_says_so),
        cmocka_unit_test(a_small_file_cannot_become_a_large_job),
        cmocka_unit_test(labels_of_pixels_have_a_class_are_ignored_or_are_wrong),
        cmocka_unit_test(what_would_be_ignored_is_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
