/* test_caffe_data.c — data layers: what they say of their records, and what they do to them. */
#include "caffe_files.h"

#include "common/log.h"
#include "common/preprocess_text.h"
#include "formats/exporter.h"
#include "formats/model_data.h"

#define RELU              "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }\n"
#define DATA_OPEN         "layer { name: 'd' type: 'Data' top: 'data' transform_param { "
#define DATA(more)        "layer { name: 'd' type: 'Data' top: 'data' top: 'label' " more " }\n" RELU
#define TRANSFORM(fields) DATA("transform_param { " fields " }")

static int describe(const struct caffe_files *files, const char *prototxt, int64_t channels, unsigned parts,
                    struct model_data *data, struct graph **graph, struct error *err)
{
    struct model_request request = {.n_inputs = 1};

    request.inputs[0].name = "data";
    request.inputs[0].shape = (struct shape){4, {1, channels, 8, 8}};
    *graph = must_import(files, prototxt, NULL, &request);
    *err = (struct error){0};
    return model_describe_data(&request, *graph, parts, data, err);
}

static void print(const struct preprocess_plan *plan, char text[1024])
{
    FILE *out = fmemopen(text, 1024, "w");

    assert_non_null(out);
    preprocess_print_flow(plan, out);
    assert_int_equal(fclose(out), 0);
}

static void assert_same_chain(const struct preprocess_plan *expected, const struct preprocess_plan *found)
{
    char a[1024] = "", b[1024] = "";

    print(expected, a);
    print(found, b);
    assert_string_equal(a, b);
}

/* The chain, as a job file would have it. */
static void becomes(const struct caffe_files *files, const char *prototxt, int64_t channels, const char *expected)
{
    char text[1024] = "";
    struct model_data data;
    struct graph *graph;
    struct error err;

    if (describe(files, prototxt, channels, MODEL_DATA_PREPROCESS, &data, &graph, &err) != 0)
        fail_msg("%s\n%s", prototxt, err.text);
    print(&data.preprocess, text);
    assert_true(data.has_preprocess);
    assert_string_equal(text, expected);
    graph_destroy(graph);
}

static void is_refused(const struct caffe_files *files, const char *prototxt, unsigned parts, int code,
                       const char *expected)
{
    struct model_data data;
    struct graph *graph;
    struct error err;

    assert_int_equal(describe(files, prototxt, 3, parts, &data, &graph, &err), -1);
    assert_int_equal(err.code, code);
    assert_memory_equal(err.text, files->prototxt, strlen(files->prototxt));
    if (strstr(err.text, expected) == NULL || strstr(err.text, "layer \"d\"") == NULL)
        fail_msg("\"%s\" does not mention \"%s\" and its layer", err.text, expected);
    graph_destroy(graph);
}

static void flat_fields_run_in_the_order_of_caffe(void **state)
{
    becomes(*state, TRANSFORM("scale: 0.00390625"), 1, "[{scale: 0.00390625}]");
    becomes(*state, TRANSFORM("scale: 0.017 mean_value: [103.94, 116.78, 123.68] crop_size: 6 mirror: false"), 3,
            "[{channels: bgr}, {crop: {height: 6, width: 6}}, {mean: [103.94, 116.78, 123.68]}, {scale: 0.017}]");
    becomes(*state, TRANSFORM("mean_value: 127.5 force_gray: true crop_w: 5 crop_h: 4"), 1,
            "[{channels: gray}, {crop: {height: 4, width: 5}}, {mean: 127.5}]");
    becomes(
        *state, TRANSFORM("crop_size: 8 resize_param { height: 9 width: 10 interp_mode: LINEAR }"), 3,
        "[{channels: bgr}, {resize: {height: 9, width: 10, filter: opencv_linear}}, {crop: {height: 8, width: 8}}]");
    becomes(*state, TRANSFORM("resize_param { height: 8 width: 8 interp_mode: AREA }"), 1,
            "[{resize: {height: 8, width: 8, filter: opencv_area}}]");
    becomes(*state, TRANSFORM("resize_param { height: 8 width: 8 interp_mode: NEAREST }"), 1,
            "[{resize: {height: 8, width: 8, filter: opencv_nearest}}]");
    becomes(*state, TRANSFORM("resize_param { height: 8 width: 8 interp_mode: CUBIC }"), 1,
            "[{resize: {height: 8, width: 8, filter: opencv_cubic}}]");
    becomes(*state, TRANSFORM("resize_param { height: 8 width: 8 interp_mode: LANCZOS4 }"), 1,
            "[{resize: {height: 8, width: 8, filter: opencv_lanczos4}}]");
    becomes(*state,
            TRANSFORM("resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 8 width: 8 pad_value: [7, 7, 7] }"),
            3, "[{channels: bgr}, {resize: {side: 8, pad: 7, filter: opencv_linear}}]");
    becomes(*state, TRANSFORM("resize_param { resize_mode: FIT_SMALL_SIZE height: 9 width: 9 } crop_size: 8"), 3,
            "[{channels: bgr}, {resize: {short: 9, filter: opencv_linear}}, {crop: {height: 8, width: 8}}]");
    becomes(*state, TRANSFORM("resize: 9 scale: 1"), 3,
            "[{channels: bgr}, {resize: {short: 9, filter: opencv_linear}}]");
    becomes(*state, TRANSFORM("resize: [8, 9]"), 1, "[{resize: {height: 8, width: 9, filter: opencv_linear}}]");
    becomes(*state, TRANSFORM("mean_file: '/m' crop_size: 8 scale: 2"), 3,
            "[{channels: bgr}, {crop: {height: 8, width: 8}}, {mean_file: \"/m\"}, {scale: 2}]");
    becomes(*state, TRANSFORM("transform_op { op: STAND mean_file: '/m' scale: 2 }"), 1,
            "[{mean_file: \"/m\"}, {scale: 2}]");
    becomes(*state, TRANSFORM("standardization: true crop_fraction: 0.875 scale: 1"), 1,
            "[{crop_fraction: 0.875}, {standardize: image}]");
    becomes(*state, TRANSFORM("crop_fraction: 0.875 mean_value: 128 resize: [] scale: 2"), 1,
            "[{crop_fraction: 0.875}, {mean: 128}, {scale: 2}]");
    becomes(*state, TRANSFORM("crop_fraction: 1 resize: [8, 9]"), 1,
            "[{resize: {height: 8, width: 9, filter: opencv_linear}}]");
    becomes(*state, TRANSFORM(""), 1, "[]");
}

static void transform_ops_run_in_the_order_of_the_list(void **state)
{
    becomes(
        *state,
        TRANSFORM("transform_op { op: STAND mean_value: [1, 2, 3] scale: [0.5, 0.25, 2] }"
                  "transform_op { op: CROP crop_h: 8 crop_w: 8 } transform_op { op: STAND div: 4 }"),
        3, "[{channels: bgr}, {mean: [1, 2, 3]}, {scale: [0.5, 0.25, 2]}, {crop: {height: 8, width: 8}}, {divide: 4}]");
    becomes(*state,
            TRANSFORM("transform_op { op: RESIZE resize_side: 9 } transform_op { op: RESIZE resize_h: 8 resize_w: 7 "
                      "bgr2rgb: true } mirror: true"),
            3,
            "[{channels: bgr}, {resize: {short: 9, filter: opencv_linear}}, {channels: rgb}, "
            "{resize: {height: 8, width: 7, filter: opencv_linear}}]");
    becomes(*state, TRANSFORM("transform_op { op: NONE bgr2rgb: true } transform_op { }"), 3, "[{channels: rgb}]");
    becomes(*state,
            TRANSFORM("transform_op { op: CROP crop_fraction: 0.875 } transform_op { resize_side: 9 op: RESIZE }"
                      "transform_op { op: CROP crop_fraction: 1 }"),
            1, "[{crop_fraction: 0.875}, {resize: {short: 9, filter: opencv_linear}}]");
}

static void the_form_before_transform_param_is_upgraded(void **state)
{
    becomes(*state,
            "layers { name: 'd' type: DATA top: 'data' data_param { source: 's' scale: 0.5 crop_size: 8 } }\n"
            "layers { name: 'r' type: RELU bottom: 'data' top: 'r' }\n",
            3, "[{channels: bgr}, {crop: {height: 8, width: 8}}, {scale: 0.5}]");
}

static void image_layers_resize_and_order_channels_themselves(void **state)
{
    static const char color[] = "layer { name: 'd' type: 'ImageData' top: 'data' image_data_param { source: 'list' "
                                "new_height: 9 new_width: 10 } transform_param { crop_size: 8 } }\n" RELU;
    static const char gray[] = "layer { name: 'd' type: 'ImageData' top: 'data' image_data_param { source: 'list' "
                               "is_color: false } }\n" RELU;

    becomes(
        *state, color, 3,
        "[{channels: bgr}, {resize: {height: 9, width: 10, filter: opencv_linear}}, {crop: {height: 8, width: 8}}]");
    becomes(*state, gray, 1, "[{channels: gray}]");
}

static void the_two_forms_exclude_each_other(void **state)
{
    static const char *const fields[] = {
        "scale: 1",  "crop_size: 8",   "mean_value: 3",      "crop_h: 1",        "crop_w: 1",
        "resize: 8", "mean_file: 'm'", "crop_fraction: 0.5", "resize_param { }", "standardization: true"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char text[512], expected[64];

        snprintf(text, sizeof text, TRANSFORM("%s transform_op { op: NONE }"), fields[i]);
        snprintf(expected, sizeof expected, "has both %.*s and a list of transform_op", (int)strcspn(fields[i], ": {"),
                 fields[i]);
        is_refused(*state, text, MODEL_DATA_PREPROCESS, EX_DATAERR, expected);
    }
}

static void what_cannot_be_done_is_said(void **state)
{
    static const struct {
        const char *fields;
        int code;
        const char *expected;
    } cases[] = {
        {"mean_file: 'm' mean_value: 1", EX_DATAERR, "both mean_file and mean_value"},
        {"resize_param { height: 8 }", EX_DATAERR, "it resizes to 8x0"},
        {"resize_param { height: 8 width: 9 resize_mode: FIT_SMALL_SIZE }", EX_UNAVAILABLE, "covers 8x9"},
        {"resize_param { height: 8 width: 9 resize_mode: FIT_LARGE_SIZE_AND_PAD }", EX_UNAVAILABLE, "pads to 8x9"},
        {"resize_param { height: 8 width: 8 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_mode: MIRRORED }", EX_UNAVAILABLE,
         "pad_mode number 2"},
        {"resize_param { height: 8 width: 8 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_value: [1, 2, 3] }", EX_UNAVAILABLE,
         "another value in each channel"},
        {"crop_fraction: 0.5 resize: 8", EX_UNAVAILABLE, "its crop_fraction may run before or after its resize:"},
        {"crop_fraction: 0.5 resize_param { height: 8 width: 8 }", EX_UNAVAILABLE, "before or after its resize_param"},
        {"standardization: true scale: 2", EX_UNAVAILABLE, "its standardization may run before or after its scale"},
        {"standardization: true mean_value: 2", EX_UNAVAILABLE, "before or after its mean_value"},
        {"crop_fraction: 1.5", EX_DATAERR, "crop_fraction is 1.5"},
        {"crop_fraction: -1", EX_DATAERR, "crop_fraction is -1"},
        {"crop_fraction: nan", EX_DATAERR, "crop_fraction is nan"},
        {"crop_fraction: 0.5 crop_size: 8", EX_DATAERR, "both a crop_fraction and a size"},
        {"transform_op { op: CROP crop_fraction: 0.5 crop_h: 8 }", EX_DATAERR, "both a crop_fraction and a size"},
        {"resize: [1, 2, 3]", EX_DATAERR, "3 numbers of resize"},
        {"crop_h: 8", EX_DATAERR, "it crops to 8x0"},
        {"mean_value: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", EX_UNAVAILABLE, "17 numbers of mean_value"},
        {"transform_op { op: CROP }", EX_DATAERR, "it crops to 0x0"},
        {"transform_op { op: RESIZE }", EX_DATAERR, "it resizes to 0x0"},
        {"transform_op { op: STAND scale: 2 div: 2 }", EX_DATAERR, "both scale and div"},
        {"transform_op { op: STAND div: [2, 0, 1] }", EX_DATAERR, "divides by 0"},
    };
    char many[2048] = "";

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];

        snprintf(text, sizeof text, TRANSFORM("%s"), cases[i].fields);
        is_refused(*state, text, MODEL_DATA_PREPROCESS, cases[i].code, cases[i].expected);
    }
    strcpy(many, DATA_OPEN);
    for (size_t i = 0; i < 17; i++)
        strcat(many, "transform_op { op: STAND scale: 2 } ");
    strcat(many, "} }\n" RELU);
    is_refused(*state, many, MODEL_DATA_PREPROCESS, EX_UNAVAILABLE, "more than 16 steps");
}

static void records_are_looked_for_beside_the_prototxt(void **state)
{
    struct caffe_files *files = *state;
    char expected[256];
    struct model_data data;
    struct graph *graph;
    struct error err;

    assert_int_equal(describe(files, DATA("data_param { source: 'x/lmdb' backend: LMDB batch_size: 5 }"), 3,
                              MODEL_DATA_RECORDS, &data, &graph, &err),
                     0);
    snprintf(expected, sizeof expected, "%s/x/lmdb", files->folder);
    assert_string_equal(data.records.path, expected);
    assert_string_equal(data.records.kind, "lmdb");
    assert_int_equal(data.batch, 5);
    assert_string_equal(data.origin, "layer \"d\" (Data)");
    assert_false(data.has_preprocess);
    graph_destroy(graph);
    assert_int_equal(describe(files,
                              "layer { name: 'd' type: 'ImageData' top: 'data' image_data_param { source: '/a/list' "
                              "root_folder: 'pictures/' } }\n" RELU,
                              3, MODEL_DATA_RECORDS, &data, &graph, &err),
                     0);
    snprintf(expected, sizeof expected, "%s/pictures/", files->folder);
    assert_string_equal(data.records.path, expected);
    assert_string_equal(data.records.list, "/a/list");
    assert_string_equal(data.records.kind, "images");
    assert_int_equal(data.batch, 1);
    graph_destroy(graph);
}

static void only_what_is_asked_for_can_be_wrong(void **state)
{
    static const char no_source[] = TRANSFORM("scale: 2");
    static const char no_chain[] = "layer { name: 'd' type: 'Data' top: 'data' data_param { source: 's' } "
                                   "transform_param { crop_h: 1 } }\n" RELU;
    struct model_data data;
    struct graph *graph;
    struct error err;

    is_refused(*state, no_source, MODEL_DATA_RECORDS, EX_DATAERR, "names no source");
    is_refused(*state, no_chain, MODEL_DATA_PREPROCESS, EX_DATAERR, "crops to 1x0");
    becomes(*state, no_source, 1, "[{scale: 2}]");
    assert_int_equal(describe(*state, no_chain, 3, MODEL_DATA_RECORDS, &data, &graph, &err), 0);
    assert_string_equal(data.records.kind, "leveldb");
    graph_destroy(graph);
    is_refused(*state, "layer { name: 'd' type: 'HDF5Data' top: 'data' }\n" RELU, MODEL_DATA_RECORDS, EX_UNAVAILABLE,
               "its records are not read");
}

static void a_network_without_data_layer_says_nothing(void **state)
{
    struct model_data data;
    struct graph *graph;
    struct error err;

    assert_int_equal(
        describe(*state, INPUT("1, 3, 8, 8") RELU, 3, MODEL_DATA_RECORDS | MODEL_DATA_PREPROCESS, &data, &graph, &err),
        0);
    assert_null(data.origin);
    assert_null(data.records.kind);
    assert_false(data.has_preprocess);
    graph_destroy(graph);
}

/* Of a train_val file it is the test layer that counts. */
static void the_layer_of_the_test_phase_is_taken(void **state)
{
    becomes(*state,
            "layer { name: 'd' type: 'Data' top: 'data' include { phase: TRAIN } transform_param { scale: 3 } }\n"
            "layer { name: 'd' type: 'Data' top: 'data' include { phase: TEST } transform_param { scale: 4 } }\n" RELU,
            1, "[{scale: 4}]");
}

/* --- writing --- */

/* The test prototxt that fp32umodel writes of a small network, in files->prototxt; its text, to be freed. NULL with
 * err.
 */
static char *write_test(const struct caffe_files *files, const struct model_data *data, bool with_accuracy,
                        struct error *err)
{
    static const char net[] = INPUT("1, 3, 4, 4") "layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip' "
                                                  "inner_product_param { num_output: 6 bias_term: false } }\n";
    static const char *const endings[] = {"_deploy.prototxt", "_test.prototxt", ".fp32umodel"};
    struct graph *graph = must_import(files, net, "ip:6x48", NULL);
    struct output *output = output_open(files->folder, NULL);
    char path[3][128], *text = NULL;
    struct bytes file;

    assert_non_null(output);
    *err = (struct error){0};
    for (size_t i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/net%s", files->folder, endings[i]);
    if (exporter_find("fp32umodel")->write_with_data(graph, data, with_accuracy, "net", output, err) == 0) {
        assert_int_equal(bytes_read(path[1], MODEL_MAX_BYTES, &file, err), 0);
        text = strndup((const char *)file.data, file.size);
        bytes_free(&file);
    }
    output_close(output);
    for (size_t i = 0; i < 3; i++)
        unlink(path[i]);
    graph_destroy(graph);
    return text;
}

#define VALUES(...) .n_values = sizeof((float[]){__VA_ARGS__}) / sizeof(float), .values = {__VA_ARGS__}
#define RESIZE(f, h, w)                                                                                                \
    {                                                                                                                  \
        .kind = STEP_RESIZE, .resize = {.fit = f, .filter = FILTER_OPENCV_LINEAR, .height = h, .width = w }            \
    }
#define CROP(h, w)                                                                                                     \
    {                                                                                                                  \
        .kind = STEP_CROP, .crop = { h, w }                                                                            \
    }
#define ORDER(o)                                                                                                       \
    {                                                                                                                  \
        .kind = STEP_CHANNELS, .channels = o                                                                           \
    }

static void a_written_chain_reads_back_as_the_same_chain(void **state)
{
    static const struct {
        struct preprocess_plan plan;
        const char *form;
    } cases[] = {
        {{4,
          {ORDER(CHANNELS_BGR),
           CROP(4, 4),
           {.kind = STEP_MEAN, VALUES(103.94f, 116.78f, 123.68f)},
           {.kind = STEP_SCALE, VALUES(0.017f)}}},
         "crop_size: 4"},
        {{2, {ORDER(CHANNELS_GRAY), {.kind = STEP_SCALE, VALUES(0.00390625f)}}}, "force_gray: true"},
        {{3, {ORDER(CHANNELS_BGR), RESIZE(FIT_WARP, 5, 6), CROP(4, 5)}}, "crop_h: 4"},
        {{2, {ORDER(CHANNELS_BGR), RESIZE(FIT_SHORT, 5, 0)}}, "resize_mode: FIT_SMALL_SIZE"},
        {{2, {ORDER(CHANNELS_BGR), {.kind = STEP_RESIZE, .resize = {FIT_SIDE_PAD, FILTER_OPENCV_LINEAR, 4, 0, 127}}}},
         "pad_value: 127"},
        {{5,
          {ORDER(CHANNELS_RGB),
           RESIZE(FIT_SHORT, 5, 0),
           CROP(4, 4),
           {.kind = STEP_MEAN, VALUES(1, 2, 3)},
           {.kind = STEP_DIVIDE, VALUES(4, 5, 6)}}},
         "bgr2rgb: true"},
        {{4,
          {ORDER(CHANNELS_BGR),
           {.kind = STEP_DIVIDE, VALUES(255)},
           {.kind = STEP_MEAN, VALUES(0.485f, 0.456f, 0.406f)},
           {.kind = STEP_DIVIDE, VALUES(0.229f, 0.224f, 0.225f)}}},
         "op: STAND"},
        {{4, {ORDER(CHANNELS_GRAY), {.kind = STEP_SCALE, VALUES(2)}, CROP(4, 4), RESIZE(FIT_WARP, 8, 9)}},
         "op: RESIZE"},
        {{1, {ORDER(CHANNELS_RGB)}}, "op: NONE"},
        {{4,
          {ORDER(CHANNELS_BGR),
           CROP(4, 4),
           {.kind = STEP_MEAN_FILE, .file = {.path = "/a/mean.binaryproto"}},
           {.kind = STEP_SCALE, VALUES(0.5f)}}},
         "mean_file: \"/a/mean.binaryproto\""},
        {{3,
          {ORDER(CHANNELS_RGB),
           {.kind = STEP_MEAN_FILE, .file = {.path = "/a/mean.binaryproto"}},
           {.kind = STEP_DIVIDE, VALUES(2)}}},
         "mean_file: \"/a/mean.binaryproto\""},
        {{3,
          {ORDER(CHANNELS_BGR),
           {.kind = STEP_RESIZE, .resize = {FIT_WARP, FILTER_OPENCV_AREA, 5, 6, 0}},
           {.kind = STEP_SCALE, VALUES(2)}}},
         "interp_mode: AREA"},
        {{2, {ORDER(CHANNELS_GRAY), {.kind = STEP_RESIZE, .resize = {FIT_SHORT, FILTER_OPENCV_CUBIC, 5, 0, 0}}}},
         "interp_mode: CUBIC"},
        {{3, {ORDER(CHANNELS_BGR), {.kind = STEP_CROP_FRACTION, .fraction = 0.875f}, {.kind = STEP_MEAN, VALUES(128)}}},
         "    crop_fraction: 0.875"},
        {{2, {ORDER(CHANNELS_BGR), {.kind = STEP_STANDARDIZE}}}, "standardization: true"},
        {{3, {ORDER(CHANNELS_BGR), {.kind = STEP_CROP_FRACTION, .fraction = 0.5f}, RESIZE(FIT_WARP, 4, 4)}},
         "op: CROP"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_data data = {.has_preprocess = true, .preprocess = cases[i].plan}, again;
        struct error err = {0};
        char *text = write_test(*state, &data, false, &err);
        struct graph *graph;

        if (text == NULL)
            fail_msg("case %zu: %s", i, err.text);
        if (strstr(text, cases[i].form) == NULL)
            fail_msg("case %zu: no \"%s\" in\n%s", i, cases[i].form, text);
        /* described by a network whose input has the size that must be given */
        graph = must_import(*state, text, "ip:6x48",
                            &(struct model_request){.n_inputs = 1, .inputs = {{"data", {4, {1, 3, 4, 4}}}}});
        assert_int_equal(model_describe_data(&(struct model_request){.file = ((struct caffe_files *)*state)->prototxt},
                                             graph, MODEL_DATA_PREPROCESS, &again, &err),
                         0);
        assert_same_chain(&cases[i].plan, &again.preprocess);
        graph_destroy(graph);
        free(text);
    }
}

static void what_a_data_layer_has_no_form_for_is_refused(void **state)
{
    static const struct {
        struct preprocess_plan plan;
        const char *step;
    } cases[] = {
        {{2, {RESIZE(FIT_WARP, 4, 4), ORDER(CHANNELS_GRAY)}}, "channels"},
        {{2, {ORDER(CHANNELS_RGB), ORDER(CHANNELS_BGR)}}, "channels"},
        {{2, {{.kind = STEP_DIVIDE, VALUES(2)}, RESIZE(FIT_SIDE_PAD, 4, 0)}}, "resize"},
        {{2, {{.kind = STEP_SCALE, VALUES(2)}, {.kind = STEP_STANDARDIZE}}}, "standardize"},
    };
    struct model_data images = {.records = {.kind = "images", .path = "p"}};
    struct error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_data data = {.has_preprocess = true, .preprocess = cases[i].plan};
        char expected[128];

        assert_null(write_test(*state, &data, false, &err));
        snprintf(expected, sizeof expected, "the step \"%s\" of preprocess, at its place, has no form", cases[i].step);
        assert_int_equal(err.code, EX_UNAVAILABLE);
        assert_non_null(strstr(err.text, expected));
    }
    assert_null(write_test(*state, &images, false, &err));
    assert_non_null(strstr(err.text, "no dataset of kind \"images\""));
}

static void records_and_accuracies_are_written(void **state)
{
    struct model_data data = {.records = {.kind = "leveldb", .path = "/a/set"}, .batch = 50};
    struct error err;
    char *text = write_test(*state, &data, true, &err);
    struct graph *graph;

    assert_non_null(text);
    assert_non_null(strstr(text, "  top: \"data\"\n  top: \"label\"\n"));
    assert_non_null(strstr(text, "source: \"/a/set\"\n    batch_size: 50\n    backend: LEVELDB\n"));
    assert_non_null(strstr(text, "layer {\n  name: \"accuracy_top1\"\n  type: \"Accuracy\"\n  bottom: \"ip\"\n"
                                 "  bottom: \"label\"\n  top: \"accuracy_top1\"\n"));
    assert_non_null(strstr(text, "accuracy_param {\n    top_k: 5\n  }\n"));
    /* accuracies measure: to us, the output is still the network's own */
    graph = must_import(*state, text, "ip:6x48",
                        &(struct model_request){.n_inputs = 1, .inputs = {{"data", {4, {1, 3, 4, 4}}}}});
    assert_int_equal(graph->n_outputs, 1);
    assert_string_equal(graph->values[graph->outputs[0]].name, "ip");
    graph_destroy(graph);
    free(text);
}

static int start(void **state)
{
    log_setup(LOG_ERROR, -1);
    return make_files(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_fields_run_in_the_order_of_caffe),
        cmocka_unit_test(transform_ops_run_in_the_order_of_the_list),
        cmocka_unit_test(the_form_before_transform_param_is_upgraded),
        cmocka_unit_test(image_layers_resize_and_order_channels_themselves),
        cmocka_unit_test(the_two_forms_exclude_each_other),
        cmocka_unit_test(what_cannot_be_done_is_said),
        cmocka_unit_test(records_are_looked_for_beside_the_prototxt),
        cmocka_unit_test(only_what_is_asked_for_can_be_wrong),
        cmocka_unit_test(a_network_without_data_layer_says_nothing),
        cmocka_unit_test(the_layer_of_the_test_phase_is_taken),
        cmocka_unit_test(a_written_chain_reads_back_as_the_same_chain),
        cmocka_unit_test(what_a_data_layer_has_no_form_for_is_refused),
        cmocka_unit_test(records_and_accuracies_are_written),
    };

    return cmocka_run_group_tests(tests, start, remove_files);
}
