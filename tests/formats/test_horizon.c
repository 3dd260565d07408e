/* test_horizon.c — the package for Horizon's J6: what preprocessing and settings become in it, and what is refused. */
#define _GNU_SOURCE /* memmem */
#include "onnx_files.h"

#include "formats/records/npy.h"
#include "formats/target.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_SETTINGS = 6 };

/* data[1,C,H,W] -> conv 3x3 -> y, with nothing quantized, in a folder of its own. */
struct package {
    struct graph *graph;
    struct plan *plan;
    char folder[64];
    struct error err;
    int rc;
};

static const struct target *horizon(void)
{
    return target_find("horizon-j6");
}

static const struct target_option *find_option(const char *name)
{
    for (const struct target_option *o = horizon()->options; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    fail_msg("no option \"%s\"", name);
    return NULL;
}

/* "march=nash-p input_batch=4" */
static struct target_settings read_settings(const char *text, char *copy, struct target_setting *items)
{
    struct target_settings settings = {0, items};
    char *save = NULL;

    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');

        *value++ = '\0';
        items[settings.n++] = (struct target_setting){horizon(), find_option(word), value};
    }
    return settings;
}

static struct package emit_file(struct onnx_file *f, const struct preprocess_plan *const *preprocess,
                                const struct emit_records *records, const char *text)
{
    struct package p = {.folder = "/tmp/etalon-horizon-XXXXXX"};
    struct target_setting items[MAX_SETTINGS];
    char copy[256];
    struct target_settings settings = read_settings(text, copy, items);
    struct emit_info info = {.fingerprint = "cafe",
                             .version = "1",
                             .records = 1,
                             .method = "mse",
                             .model_name = "net",
                             .preprocess = preprocess,
                             .settings = &settings,
                             .records_of_calibration = records};
    struct output *output;

    p.graph = must_import(f);
    p.plan = plan_create(p.graph, horizon()->profile, NULL);
    assert_non_null(p.plan);
    assert_non_null(mkdtemp(p.folder));
    output = output_open(p.folder, &p.err);
    assert_non_null(output);
    p.rc = horizon()->emit(p.plan, &info, output, &p.err);
    output_close(output);
    return p;
}

static struct package emit(int64_t channels, int64_t height, int64_t width, const struct preprocess_plan *preprocess,
                           const char *text)
{
    struct onnx_file *f = new_model(13);

    add_input(f, "it's", 1, channels, height, width);
    add_weights(f, "w", 2, channels, 3, 3);
    add_node(f, "Conv", "conv", "it's w", "y");
    add_output(f, "y");
    return emit_file(f, &preprocess, NULL, text);
}

static void remove_package(struct package *p)
{
    char command[128];

    plan_destroy(p->plan);
    graph_destroy(p->graph);
    snprintf(command, sizeof command, "rm -r '%s'", p->folder);
    assert_int_equal(system(command), 0);
}

/* The file of the package holds this. */
static void assert_holds(const struct package *p, const char *file, const char *text)
{
    char path[128];
    struct bytes bytes;

    snprintf(path, sizeof path, "%s/horizon-j6/%s", p->folder, file);
    assert_int_equal(bytes_read(path, 1 << 16, &bytes, NULL), 0);
    if (memmem(bytes.data, bytes.size, text, strlen(text)) == NULL)
        fail_msg("no \"%s\" in\n%.*s", text, (int)bytes.size, (const char *)bytes.data);
    bytes_free(&bytes);
}

/* The package's config.yaml has this line. */
static void assert_line(const struct package *p, const char *line)
{
    assert_holds(p, "config.yaml", line);
}

static struct preprocess_step step(enum step_kind kind, float a, float b, float c)
{
    return (struct preprocess_step){.kind = kind, .n_values = 3, .values = {a, b, c}};
}

static struct preprocess_step colours(enum channel_order order)
{
    return (struct preprocess_step){.kind = STEP_CHANNELS, .channels = order};
}

/* --- tests --- */

static void steps_become_one_mean_and_one_scale(void **state)
{
    struct preprocess_plan plan = {4,
                                   {colours(CHANNELS_BGR), step(STEP_DIVIDE, 2, 4, 8), step(STEP_MEAN, 3, 5, 7),
                                    step(STEP_SCALE, 0.5f, 0.25f, 4)}};
    struct package p = emit(3, 8, 8, &plan, "input_type_rt=rgb");

    (void)state;
    assert_int_equal(p.rc, 0);
    assert_line(&p, "  input_type_rt: 'rgb'\n  input_type_train: 'bgr'\n");
    assert_line(&p, "  mean_value: '6 20 56'\n");          /* x / 2 - 3 = (x - 6) / 2 */
    assert_line(&p, "  scale_value: '0.25 0.0625 0.5'\n"); /* 1 / 2 x 0.5, ... */
    remove_package(&p);
}

static void names_are_quoted_in_the_yaml_and_plain_as_folders(void **state)
{
    struct preprocess_plan plan = {1, {colours(CHANNELS_RGB)}};
    struct package p = emit(3, 8, 8, &plan, "input_type_rt=nv12 remove_node_type=Quantize;Cast");

    (void)state;
    assert_int_equal(p.rc, 0);
    assert_line(&p, "  input_name: 'it''s'\n");
    assert_line(&p, "    'it''s': 'pyramid'\n");
    assert_line(&p, "  remove_node_type: 'Quantize;Cast'\n");
    assert_line(&p, "  input_shape: '1x3x8x8'\n");
    remove_package(&p);
}

static int read_nothing(void *context, uint64_t record, float *const *rows, bool *is_bad, struct error *err)
{
    (void)context, (void)record, (void)rows, (void)is_bad, (void)err;
    return 0;
}

static void folders_of_inputs_differ_not_in_case_alone(void **state)
{
    struct onnx_file *f = new_model(13);
    struct package p;

    (void)state;
    add_input(f, "a/b", 1, 2, 4, 4);
    add_input(f, "a_b_0", 1, 2, 4, 4);
    add_input(f, "A_B_0", 1, 2, 4, 4);
    add_node(f, "Add", "first", "a/b a_b_0", "s");
    add_node(f, "Add", "second", "s A_B_0", "y");
    add_output(f, "y");
    p = emit_file(f, NULL, &(struct emit_records){.n = 1, .read = read_nothing}, "");
    assert_int_equal(p.rc, 0);
    assert_line(&p,
                "  cal_data_dir: './calibration_data/a_b_0;./calibration_data/a_b_0_2;./calibration_data/A_B_0_3'\n");
    remove_package(&p);
}

static void the_job_says_which_nodes_are_asked_for_in_more_bits(void **state)
{
    struct preprocess_plan plan = {1, {colours(CHANNELS_RGB)}};
    struct package p = emit(3, 8, 8, &plan, "all_node_type=float16 int16_nodes=conv");

    (void)state;
    assert_int_equal(p.rc, 0);
    assert_holds(&p, "quant_config.json", "\"all_node_type\": \"float16\"");
    assert_holds(&p, "quant_config.json", "\"conv\": {\n      \"qtype\": \"int16\"");
    remove_package(&p);
    p = emit(3, 8, 8, &plan, "float16_nodes=conv;nobody");
    assert_int_equal(p.err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(p.err.text, "float16_nodes: no node \"nobody\""));
    remove_package(&p);
}

static void a_batch_is_separated_by_the_names_of_inputs(void **state)
{
    struct preprocess_plan plan = {1, {colours(CHANNELS_RGB)}};
    struct package p = emit(3, 8, 8, &plan, "input_type_rt=nv12 input_batch=4 separate_name=it's");

    (void)state;
    assert_int_equal(p.rc, 0);
    assert_line(&p, "  separate_name: 'it''s'\n");
    remove_package(&p);
    p = emit(3, 8, 8, &plan, "input_type_rt=nv12 input_batch=4 separate_name=its");
    assert_int_equal(p.err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(p.err.text, "separate_name: the network has no input \"its\""));
    remove_package(&p);
}

static void what_the_yaml_has_no_words_for_is_a_featuremap(void **state)
{
    static const struct preprocess_plan plans[] = {
        {0, {{0}}},
        {2, {{.kind = STEP_CHANNELS, .channels = CHANNELS_RGB}, {.kind = STEP_MEAN_FILE}}},
        {2, {{.kind = STEP_CHANNELS, .channels = CHANNELS_RGB}, {.kind = STEP_STANDARDIZE}}},
        {2,
         {{.kind = STEP_SCALE, .n_values = 1, .values = {2}},
          {.kind = STEP_CHANNELS, .channels = CHANNELS_BGR}}}, /* numbers in front of colours */
    };

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct package p = emit(3, 8, 8, &plans[i], "");

        assert_int_equal(p.rc, 0);
        assert_line(&p, "  input_type_rt: 'featuremap'\n  input_type_train: 'featuremap'\n");
        assert_line(&p, "    'it''s': 'ddr'\n");
        remove_package(&p);
    }
}

static void what_the_board_cannot_give_is_refused_by_name(void **state)
{
    static const struct {
        int64_t channels, height, width;
        enum channel_order colours;
        const char *settings, *message;
    } cases[] = {
        {3, 8, 8, CHANNELS_RGB, "input_type_rt=gray",
         "input \"it's\": input_type_rt gray cannot serve a network of rgb"},
        {3, 8, 8, CHANNELS_RGB, "input_type_rt=featuremap", "featuremap cannot serve a network of rgb"},
        {1, 8, 8, CHANNELS_GRAY, "input_type_rt=nv12", "nv12 cannot serve a network of gray"},
        {3, 7, 8, CHANNELS_RGB, "input_type_rt=nv12", "an even height and width, found 7 x 8"},
        {3, 8, 9, CHANNELS_RGB, "input_type_rt=yuv444", "an even height and width, found 8 x 9"},
        {3, 8, 8, CHANNELS_RGB, "input_source=pyramid", "input_source pyramid gives nv12 or gray"},
        {3, 8, 8, CHANNELS_RGB, "input_space_and_range=bt601_video", "input_space_and_range is of nv12"},
        {3, 8, 8, CHANNELS_RGB, "input_type_rt=nv12 input_batch=4", "set separate_batch"},
        {3, 8, 8, CHANNELS_RGB, "remove_node_name=nobody", "no node \"nobody\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct preprocess_plan plan = {1, {colours(cases[i].colours)}};
        struct package p = emit(cases[i].channels, cases[i].height, cases[i].width, &plan, cases[i].settings);
        char path[128];

        assert_int_equal(p.rc, -1);
        assert_int_equal(p.err.code, EX_UNAVAILABLE);
        assert_non_null(strstr(p.err.text, cases[i].message));
        snprintf(path, sizeof path, "%s/horizon-j6", p.folder);
        assert_int_not_equal(access(path, F_OK), 0); /* nothing was begun */
        remove_package(&p);
    }
}

static void settings_that_cannot_stand_together_are_refused(void **state)
{
    static const struct {
        const char *settings, *message;
    } cases[] = {
        {"core_num=2", "core_num: nash-e has one core"},
        {"march=nash-m max_l2m_size=4", "max_l2m_size"},
        {"march=bayes", "not of the dialect nash"},
        {"dialect=bayes-e", "not of the dialect bayes-e"},
        {"optimize_level=O3", "optimize_level"},
        {"compile_mode=balance", "balance_factor"},
        {"balance_factor=3", "balance_factor"},
        {"separate_batch=true", "a batch of 1"},
        {"separate_batch=true input_batch=2 separate_name=x", "excludes separate_batch"},
        {"remove_node_type=Quantize;conv", "found \"conv\""},
        {"remove_node_type=;", "remove_node_type"},
        {"march=nash-p core_num=4 max_l2m_size=4 compile_mode=balance balance_factor=0", NULL},
        {"march=bayes-e dialect=bayes-e optimize_level=O3", NULL},
        {"input_batch=8 separate_batch=true remove_node_type=Softmax;Reshape", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target_setting items[MAX_SETTINGS];
        char copy[256];
        struct target_settings settings = read_settings(cases[i].settings, copy, items);
        struct error err = {0};
        int rc = horizon()->check_settings(&settings, &err);

        assert_int_equal(rc, cases[i].message == NULL ? 0 : -1);
        if (cases[i].message != NULL && (err.code != EX_CONFIG || strstr(err.text, cases[i].message) == NULL))
            fail_msg("%s: %d %s", cases[i].settings, err.code, err.text);
    }
}

static void tensors_are_numpy_s(void **state)
{
    static const struct shape shapes[] = {{1, {4}}, {4, {1, 1, 2, 2}}};
    static const float data[] = {1.5f, -2, 0, 3e38f};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t size = 0;
        uint8_t *bytes = npy_encode(&shapes[i], data, &size, NULL);
        size_t header = (size_t)bytes[8] + ((size_t)bytes[9] << 8);

        assert_true(npy_is(bytes, size));
        assert_int_equal((10 + header) % 64, 0);
        assert_int_equal(size, 10 + header + sizeof data);
        assert_int_equal(bytes[9 + header], '\n');
        assert_memory_equal(bytes + 10 + header, data, sizeof data);
        assert_non_null(memmem(bytes, header, i == 0 ? "(4,)" : "(1, 1, 2, 2)", i == 0 ? 4 : 12));
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_become_one_mean_and_one_scale),
        cmocka_unit_test(names_are_quoted_in_the_yaml_and_plain_as_folders),
        cmocka_unit_test(folders_of_inputs_differ_not_in_case_alone),
        cmocka_unit_test(the_job_says_which_nodes_are_asked_for_in_more_bits),
        cmocka_unit_test(a_batch_is_separated_by_the_names_of_inputs),
        cmocka_unit_test(what_the_yaml_has_no_words_for_is_a_featuremap),
        cmocka_unit_test(what_the_board_cannot_give_is_refused_by_name),
        cmocka_unit_test(settings_that_cannot_stand_together_are_refused),
        cmocka_unit_test(tensors_are_numpy_s),
    };

    return cmocka_run_group_tests_name("horizon", tests, NULL, NULL);
}
