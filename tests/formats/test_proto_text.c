/* test_proto_text.c — the text format of protobuf, against messages packed to bytes. */
#include "formats/proto_guard.h"
#include "formats/proto_text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <caffe.pb-c.h>
#include <onnx/onnx.pb-c.h>

/* Counts warnings and keeps the last. */
struct warnings {
    struct proto_text_listener listener;
    size_t n;
    char last[512];
};

static void hear(struct proto_text_listener *self, const char *text)
{
    struct warnings *warnings = (struct warnings *)self;

    warnings->n++;
    snprintf(warnings->last, sizeof warnings->last, "%s", text);
}

static ProtobufCMessage *parse_as(const ProtobufCMessageDescriptor *type, const char *text, struct warnings *warnings,
                                  struct error *err)
{
    char *exact = malloc(strlen(text) + 1); /* without a terminator, so that a sanitizer sees reads past the end */
    ProtobufCMessage *message;

    assert_non_null(exact);
    memcpy(exact, text, strlen(text));
    message = proto_text_parse(type, (const uint8_t *)exact, strlen(text),
                               warnings != NULL ? &warnings->listener : NULL, err);
    free(exact);
    return message;
}

static Caffe__LayerParameter *layer(const char *text)
{
    struct error err = {0};
    ProtobufCMessage *message = parse_as(&caffe__layer_parameter__descriptor, text, NULL, &err);

    if (message == NULL)
        fail_msg("%s: %s", text, err.text);
    return (Caffe__LayerParameter *)message;
}

static void free_layer(Caffe__LayerParameter *message)
{
    proto_free(&message->base);
}

static void assert_same_message(const char *a_text, const char *b_text)
{
    Caffe__LayerParameter *a = layer(a_text), *b = layer(b_text);
    size_t size = caffe__layer_parameter__get_packed_size(a);
    uint8_t *a_bytes = malloc(size + 1), *b_bytes = malloc(size + 1);

    if (caffe__layer_parameter__get_packed_size(b) != size)
        fail_msg("differ in size: %s | %s", a_text, b_text);
    caffe__layer_parameter__pack(a, a_bytes);
    caffe__layer_parameter__pack(b, b_bytes);
    if (memcmp(a_bytes, b_bytes, size) != 0)
        fail_msg("differ: %s | %s", a_text, b_text);
    free(a_bytes);
    free(b_bytes);
    free_layer(a);
    free_layer(b);
}

static void every_spelling_of_a_message_gives_the_same_message(void **state)
{
    static const char *const pairs[][2] = {
        {"name: \"a\" type: \"b\"", "name:'a'type:'b'"},
        {"name: \"a\"; type: \"b\",", "name: \"a\"\r\ntype: \"b\"\r\n"},
        {"name: \"a\"", "\xef\xbb\xbfname: \"a\""},
        {"name: \"a\"", "# name: \"b\"\nname: \"a\" # }\n#"},
        {"name: \"abc\"", "name: \"a\" 'b'\n\"c\""},
        {"name: \"a/b:c <d> @e#f{\"", "name: 'a/b:c <d> @e#f{'"},
        {"top: \"a\" top: \"b\"", "top: [\"a\", \"b\"]"},
        {"top: \"a\" top: \"b\" top: \"c\"", "top: \"a\" top: [\"b\", 'c']"},
        {"name: \"a\"", "name: \"a\" top: []"},
        {"relu_param { negative_slope: 0.5 }", "relu_param: < negative_slope: 5e-1f >"},
        {"relu_param { negative_slope: 0.5 }", "relu_param:{negative_slope:.5}"},
        {"relu_param { negative_slope: 2 }", "relu_param { negative_slope: 2. }"},
        {"param { } param { lr_mult: 1 }", "param: [{ }, < lr_mult: 1 >]"},
        {"param { } param { lr_mult: 1 }", "param [{ }, { lr_mult: 1 }]"},
        {"pooling_param { pool: AVE kernel_size: 16 }", "pooling_param { pool: 1 kernel_size: 0x10 }"},
        {"pooling_param { kernel_size: 8 }", "pooling_param { kernel_size: 010 }"},
        {"reshape_param { shape { dim: -1 dim: 0 } }", "reshape_param { shape { dim: [- 1, 0] } }"},
        {"scale_param { bias_term: true }", "scale_param { bias_term: t }"},
        {"scale_param { bias_term: true }", "scale_param { bias_term: True }"},
        {"scale_param { bias_term: true }", "scale_param { bias_term: 1 }"},
        {"scale_param { bias_term: false }", "scale_param { bias_term: f }"},
        {"scale_param { bias_term: false }", "scale_param { bias_term: False }"},
        {"scale_param { bias_term: false }", "scale_param { bias_term: 0 }"},
        {"power_param { shift: inf }", "power_param { shift: Infinity }"},
        {"power_param { shift: -inf }", "power_param { shift: -1e999 }"},
        {"name: \"A\\n\\t\\\"\\'\\\\\"", "name: \"\\101\\x0a\\x9\\042\\47\\\\\""},
        {"name: \"\xc3\xa9\xe2\x82\xac\"", "name: \"\\u00e9\\u20AC\""},
        {"name: \"\xf0\x9f\x98\x80\"", "name: \"\\ud83d\\ude00\""},
        {"name: \"\xf0\x9f\x98\x80\"", "name: \"\\U0001f600\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_same_message(pairs[i][0], pairs[i][1]);
}

static void absent_fields_have_the_defaults_of_the_schema(void **state)
{
    Caffe__LayerParameter *l = layer("lrn_param {} convolution_param {} pooling_param {}");

    (void)state;
    assert_int_equal(l->lrn_param->local_size, 5);
    assert_true(l->lrn_param->beta == 0.75f && !l->lrn_param->has_beta);
    assert_true(l->convolution_param->bias_term && !l->convolution_param->has_bias_term);
    assert_int_equal(l->pooling_param->round_mode, CAFFE__POOLING_PARAMETER__ROUND_MODE__CEIL);
    assert_null(l->relu_param);
    free_layer(l);
}

static void a_present_field_is_told_from_an_absent_one(void **state)
{
    Caffe__LayerParameter *l = layer("convolution_param { pad_h: 0 bias_term: true }");

    (void)state;
    assert_true(l->convolution_param->has_pad_h && !l->convolution_param->has_pad_w);
    assert_true(l->convolution_param->has_bias_term);
    free_layer(l);
}

static void floats_round_like_the_reference_parser(void **state)
{
    /* Half an ulp above 1 and a little more: a direct conversion to float rounds up, one through double hits the tie.
     */
    Caffe__LayerParameter *l = layer("power_param { scale: 1.00000005960464477540 shift: nan power: -0 }");

    (void)state;
    assert_true(l->power_param->scale == 1.0f);
    assert_true(isnan(l->power_param->shift));
    assert_true(signbit(l->power_param->power));
    free_layer(l);
}

static void every_byte_can_be_written_as_an_escape(void **state)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "data: \"");
    struct error err = {0};
    Caffe__Datum *datum;

    (void)state;
    for (int i = 0; i < 256; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, i % 2 == 0 ? "\\%03o" : "\\x%02X", i);
    snprintf(text + n, sizeof text - (size_t)n, "\"");
    datum = (Caffe__Datum *)parse_as(&caffe__datum__descriptor, text, NULL, &err);
    assert_non_null(datum);
    assert_int_equal(datum->data.len, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(datum->data.data[i], i);
    proto_free(&datum->base);
}

static void an_unknown_field_is_skipped_with_one_warning(void **state)
{
    struct warnings warnings = {.listener = {hear}};
    struct error err = {0};
    Caffe__LayerParameter *l = (Caffe__LayerParameter *)parse_as(
        &caffe__layer_parameter__descriptor,
        "name: \"a\"\n  novel_param { x: 1 y < z: \"}\" list: [1, 2] > }\n novel_param: { } novel_param: -1e5\n"
        "novel_param: 'a' \"b\" novel_param: [ {a: 1}, {} ] novel_param: NAME [a.b.c] { d: 1 } type: \"t\"",
        &warnings, &err);

    (void)state;
    assert_non_null(l);
    assert_string_equal(l->type, "t");
    assert_int_equal(warnings.n, 2); /* novel_param, and the extension */
    free_layer(l);

    warnings = (struct warnings){.listener = {hear}};
    l = (Caffe__LayerParameter *)parse_as(&caffe__layer_parameter__descriptor, "\n  novel: 1", &warnings, &err);
    assert_non_null(l);
    assert_string_equal(warnings.last, "line 2, column 3: LayerParameter has no field 'novel': it is skipped");
    free_layer(l);
}

static void warnings_end_after_a_while(void **state)
{
    struct warnings warnings = {.listener = {hear}};
    struct error err = {0};
    char text[4096];
    size_t n = 0;
    ProtobufCMessage *message;

    (void)state;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "unknown_%d: 1\n", i);
    message = parse_as(&caffe__layer_parameter__descriptor, text, &warnings, &err);
    assert_non_null(message);
    assert_int_equal(warnings.n, PROTO_TEXT_MAX_WARNINGS);
    assert_non_null(strstr(warnings.last, "not listed"));
    proto_free(message);
}

static void each_mistake_is_named_with_line_and_column(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"name: \"a\"\n\n  name: \"b\"", "line 3, column 3: field \"name\" of a LayerParameter is given twice"},
        {"relu_param {} relu_param {}", "line 1, column 15: field \"relu_param\""},
        {"name \"a\"", "line 1, column 6: expected ':', found \"a\""},
        {"name: a", "line 1, column 7: expected a string in quotes, found 'a'"},
        {"name: 1", "expected a string in quotes, found '1'"},
        {"name: \"a", "line 1, column 7: a string does not end on its line"},
        {"name: \"a\nb\"", "a string does not end on its line"},
        {"name: \"a\\", "a string does not end on its line"},
        {"name: \"\\q\"", "line 1, column 7: a string holds an escape that does not exist"},
        {"name: \"\\x\"", "escape"},
        {"name: \"\\400\"", "escape"},
        {"name: \"\\u12\"", "escape"},
        {"name: \"\\ud800\"", "escape"},
        {"name: \"\\U00110000\"", "escape"},
        {"name: \"a\\0b\"", "line 1, column 7: a name or text holds a zero byte"},
        {"relu_param { negative_slope: x }", "line 1, column 30: expected a decimal number, found 'x'"},
        {"relu_param { negative_slope: 1.2.3 }", "expected a decimal number, found '1.2.3'"},
        {"relu_param { negative_slope: 1e }", "expected a decimal number, found '1e'"},
        {"relu_param { negative_slope: 3x3 }", "expected a decimal number, found '3x3'"},
        {"relu_param { negative_slope: \"1\" }", "expected a decimal number, found \"1\""},
        {"relu_param { negative_slope: }", "expected a decimal number, found '}'"},
        {"relu_param { engine: FAST }", "line 1, column 22: expected a Engine (DEFAULT, CAFFE, CUDNN), found 'FAST'"},
        {"relu_param { engine: 7 }", "expected a Engine (DEFAULT, CAFFE, CUDNN), found '7'"},
        {"relu_param { negative_slope: 1", "line 1, column 31: expected '}', found the end of the file"},
        {"relu_param < negative_slope: 1 }", "expected the name of a field, found '}'"},
        {"relu_param: 1", "expected '{', found '1'"},
        {"relu_param: [ {} ]", "expected '{', found '['"},
        {"name: [\"a\"]", "expected a string in quotes, found '['"},
        {"top: [\"a\" \"b\"", "expected ',' or ']', found the end of the file"},
        {"top: [\"a\",]", "expected a string in quotes, found ']'"},
        {"}", "line 1, column 1: expected the name of a field, found '}'"},
        {"name: \"a\" \x01", "line 1, column 11: expected a field, found the byte 0x01"},
        {"name: \"a\" %", "found the byte 0x25"},
        {"pooling_param { kernel_size: -1 }", "expected a number that is not negative, found '-'"},
        {"pooling_param { kernel_size: 4294967296 }", "'4294967296' does not fit into an uint32"},
        {"pooling_param { kernel_size: 1.5 }", "expected an integer, found '1.5'"},
        {"pooling_param { kernel_size: 08 }", "expected an integer, found '08'"},
        {"pooling_param { kernel_size: 0x }", "expected an integer, found '0x'"},
        {"concat_param { axis: 2147483648 }", "'2147483648' does not fit into an int32"},
        {"concat_param { axis: -2147483649 }", "does not fit into an int32"},
        {"reshape_param { shape { dim: 9223372036854775808 } }", "does not fit into an int64"},
        {"reshape_param { shape { dim: 99999999999999999999 } }", "expected an integer below 2^64"},
        {"scale_param { bias_term: yes }", "expected true or false, found 'yes'"},
        {"scale_param { bias_term: 2 }", "does not fit into an bool"},
        {"clip_param { min: 0 }", "line 1, column 21: a ClipParameter without its required field \"max\" ends"},
        {"novel", "expected ':' or '{', found the end of the file"},
        {"novel { x: 1", "expected '}', found the end of the file"},
        {"novel { x: [1 }", "expected ']', found '}'"},
        {"novel: ", "expected a value, found the end of the file"},
        {"novel: , name: \"a\"", "expected a value, found ','"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        ProtobufCMessage *message = parse_as(&caffe__layer_parameter__descriptor, cases[i].text, NULL, &err);

        if (message != NULL || err.code != EX_DATAERR || strstr(err.text, cases[i].expected) == NULL)
            fail_msg("%s: %d: %s", cases[i].text, err.code, err.text);
    }
}

static void the_extremes_of_integers_are_accepted(void **state)
{
    Caffe__LayerParameter *l = layer("concat_param { axis: -2147483648 concat_dim: 4294967295 }"
                                     "reshape_param { shape { dim: [-9223372036854775808, 0x7fffffffffffffff] } }");

    (void)state;
    assert_int_equal(l->concat_param->axis, INT32_MIN);
    assert_int_equal(l->concat_param->concat_dim, UINT32_MAX);
    assert_true(l->reshape_param->shape->dim[0] == INT64_MIN && l->reshape_param->shape->dim[1] == INT64_MAX);
    free_layer(l);
}

/* `levels` messages inside each other, the outermost included. ONNX has what Caffe lacks: a message that holds its own
 * kind, through two fields that take turns. */
static char *nested(const char *const fields[2], char open, char close, size_t levels)
{
    char *text = malloc(levels * 20 + 1), *at = text;

    assert_non_null(text);
    for (size_t i = 1; i < levels; i++)
        at += sprintf(at, "%s%c", fields[(i - 1) % 2], open);
    for (size_t i = 1; i < levels; i++)
        *at++ = close;
    *at = '\0';
    return text;
}

static void nesting_is_limited_in_known_and_unknown_fields(void **state)
{
    static const struct {
        const char *fields[2];
        char open, close;
    } cases[] = {
        {{"sequence_type", "elem_type"}, '{', '}'},
        {{"sequence_type:", "elem_type:"}, '<', '>'},
        {{"unknown", "other"}, '{', '}'},
        {{"unknown:", ""}, '[', ']'},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t levels = PROTO_MAX_DEPTH; levels <= PROTO_MAX_DEPTH + 1; levels++) {
            char *text = nested(cases[i].fields, cases[i].open, cases[i].close, levels);
            struct error err = {0};
            ProtobufCMessage *message = parse_as(&onnx__type_proto__descriptor, text, NULL, &err);

            if ((message != NULL) != (levels == PROTO_MAX_DEPTH))
                fail_msg("case %zu, %zu levels: %s", i, levels, err.text);
            if (message == NULL)
                assert_non_null(strstr(err.text, "nested deeper than 64"));
            proto_free(message);
            free(text);
        }
}

static void ten_thousand_levels_do_not_exhaust_the_stack(void **state)
{
    static const char *const known[2] = {"sequence_type", "elem_type"}, *const unknown[2] = {"a", "b"};
    struct error err = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *text = nested(i == 0 ? known : unknown, '{', '}', 10000);

        assert_null(parse_as(&onnx__type_proto__descriptor, text, NULL, &err));
        assert_int_equal(err.code, EX_DATAERR);
        free(text);
    }
}

static void only_one_alternative_of_a_oneof_is_accepted(void **state)
{
    struct error err = {0};
    Onnx__TypeProto *type =
        (Onnx__TypeProto *)parse_as(&onnx__type_proto__descriptor, "tensor_type { elem_type: 3 }", NULL, &err);

    (void)state;
    assert_non_null(type);
    assert_int_equal(type->value_case, ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE);
    assert_int_equal(type->tensor_type->elem_type, 3);
    proto_free(&type->base);
    assert_null(parse_as(&onnx__type_proto__descriptor, "tensor_type { } sequence_type { }", NULL, &err));
    assert_non_null(strstr(err.text, "expected one alternative only"));
}

/* Three bytes of text become a layer of 600, more than the 64 bytes a byte allowed beyond 64 MiB. */
static void memory_is_limited_by_the_size_of_the_text(void **state)
{
    static const char open[] = "layer: [{}", next[] = ",{}";
    const size_t n = 250000, size = strlen(open) + n * strlen(next) + 1;
    char *text = malloc(size + 1), *at = text;
    struct error err = {0};

    (void)state;
    assert_non_null(text);
    at = stpcpy(at, open);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, next);
    strcpy(at, "]");
    assert_true(n * sizeof(Caffe__LayerParameter) > proto_budget(size));
    assert_null(parse_as(&caffe__net_parameter__descriptor, text, NULL, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "bytes allowed"));
    free(text);
}

static void a_token_of_more_than_a_mebibyte_is_refused(void **state)
{
    const size_t n = 2 * PROTO_TEXT_MAX_TOKEN_BYTES;
    struct error err = {0};

    (void)state;
    for (int kind = 0; kind < 3; kind++) { /* a word, one literal, many literals */
        char *text = malloc(n + 16);
        int start = sprintf(text, kind == 0 ? "n" : "name: \"");

        assert_non_null(text);
        memset(text + start, 'n', n);
        for (size_t i = (size_t)start + 1000; kind == 2 && i + 3 < n; i += 1000)
            memcpy(text + i, "\" \"", 3);
        strcpy(text + (size_t)start + n, "\"");
        assert_null(parse_as(&caffe__layer_parameter__descriptor, text, NULL, &err));
        assert_int_equal(err.code, EX_DATAERR);
        assert_non_null(strstr(err.text, "longer than 1048576"));
        free(text);
    }
}

/* Whatever happens to the text: a message, or an error with a place in it. */
static void damaged_text_is_accepted_or_refused_with_a_place(void **state)
{
    static const char text[] = "name: \"a\\x41\" 'b' top: [\"x\", \"y\"] # c\n include { phase: TEST stage: \"s\" }\n"
                               "convolution_param { kernel_size: [3, 0x3] bias_term: false } unknown: < a: -1.5e3 >\n"
                               "pooling_param: { pool: AVE }; power_param { shift: -inf }";
    static const char replacements[] = "\"'{}<>[]:,;-\\#0ex\n\x80";

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (size_t k = 0; k < sizeof replacements; k++) { /* the terminator cuts the text off */
            char damaged[sizeof text];
            struct error err = {0};
            ProtobufCMessage *message;

            memcpy(damaged, text, sizeof text);
            damaged[i] = replacements[k];
            message = parse_as(&caffe__layer_parameter__descriptor, damaged, NULL, &err);
            if (message == NULL && (err.code != EX_DATAERR || strncmp(err.text, "line ", 5) != 0))
                fail_msg("%s: %d: %s", damaged, err.code, err.text);
            proto_free(message);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_message_gives_the_same_message),
        cmocka_unit_test(absent_fields_have_the_defaults_of_the_schema),
        cmocka_unit_test(a_present_field_is_told_from_an_absent_one),
        cmocka_unit_test(floats_round_like_the_reference_parser),
        cmocka_unit_test(every_byte_can_be_written_as_an_escape),
        cmocka_unit_test(an_unknown_field_is_skipped_with_one_warning),
        cmocka_unit_test(warnings_end_after_a_while),
        cmocka_unit_test(each_mistake_is_named_with_line_and_column),
        cmocka_unit_test(the_extremes_of_integers_are_accepted),
        cmocka_unit_test(nesting_is_limited_in_known_and_unknown_fields),
        cmocka_unit_test(ten_thousand_levels_do_not_exhaust_the_stack),
        cmocka_unit_test(only_one_alternative_of_a_oneof_is_accepted),
        cmocka_unit_test(memory_is_limited_by_the_size_of_the_text),
        cmocka_unit_test(a_token_of_more_than_a_mebibyte_is_refused),
        cmocka_unit_test(damaged_text_is_accepted_or_refused_with_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
