/* test_proto_guard.c — binary protobuf from strangers: checked before it is unpacked, unpacked within a budget. */
#include "formats/proto_guard.h"
#include "formats/proto_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <caffe.pb-c.h>
#include <onnx/onnx.pb-c.h>

/* A message with fields of every wire type, packed and not. */
static size_t pack_example(uint8_t bytes[512])
{
    Caffe__Datum datum = CAFFE__DATUM__INIT;
    Caffe__AnnotatedDatum annotated = CAFFE__ANNOTATED_DATUM__INIT;
    static uint8_t pixels[5] = {0, 1, 2, 0xff, 0x80};
    static float numbers[3] = {1, -2, 3};

    datum.has_channels = datum.has_data = datum.has_label = 1;
    datum.channels = 300;
    datum.label = -1;
    datum.data = (ProtobufCBinaryData){sizeof pixels, pixels};
    datum.n_float_data = 3;
    datum.float_data = numbers;
    annotated.datum = &datum;
    assert_true(caffe__annotated_datum__get_packed_size(&annotated) <= 512);
    return caffe__annotated_datum__pack(&annotated, bytes);
}

static void a_message_comes_back_as_it_was_packed(void **state)
{
    uint8_t bytes[512], again[512];
    size_t size = pack_example(bytes);
    struct error err = {0};
    ProtobufCMessage *message =
        proto_unpack(&caffe__annotated_datum__descriptor, bytes, size, proto_budget(size), &err);

    (void)state;
    assert_non_null(message);
    assert_int_equal(protobuf_c_message_pack(message, again), size);
    assert_memory_equal(bytes, again, size);
    proto_free_unpacked(message);
}

/* Unpacks an exact copy, so that a sanitizer sees reads past the end. */
static ProtobufCMessage *unpack_exactly(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size,
                                        struct error *err)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    ProtobufCMessage *message;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    message = proto_unpack(type, copy, size, proto_budget(size), err);
    free(copy);
    return message;
}

static void a_truncated_message_is_refused_with_the_byte(void **state)
{
    uint8_t bytes[512];
    size_t size = pack_example(bytes);

    (void)state;
    for (size_t cut = 1; cut < size; cut++) {
        struct error err = {0};

        assert_null(unpack_exactly(&caffe__annotated_datum__descriptor, bytes, cut, &err));
        assert_int_equal(err.code, EX_DATAERR);
        assert_non_null(strstr(err.text, "byte "));
    }
}

static void a_damaged_message_is_unpacked_or_refused(void **state)
{
    uint8_t bytes[512];
    size_t size = pack_example(bytes);

    (void)state;
    for (size_t i = 0; i < size; i++)
        for (int value = 0; value < 256; value++) {
            struct error err = {0};
            uint8_t damaged[512];
            ProtobufCMessage *message;

            memcpy(damaged, bytes, size);
            damaged[i] = (uint8_t)value;
            message = unpack_exactly(&caffe__annotated_datum__descriptor, damaged, size, &err);
            if (message == NULL) {
                assert_int_equal(err.code, EX_DATAERR);
                assert_true(err.text[0] != '\0');
            }
            proto_free_unpacked(message);
        }
}

static void each_kind_of_malformed_field_is_named(void **state)
{
    static const struct {
        uint8_t bytes[16];
        size_t size;
        const char *expected;
    } cases[] = {
        {{0x08}, 1, "byte 1: a number is cut off"},
        {{0x08, 0x80, 0x80}, 3, "a number is cut off"},
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 12, "more than 10 bytes"},
        {{0x22, 0x05, 'a'}, 3, "byte 1: a field of 5 bytes, but 1 bytes are left"},
        {{0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11, "bytes are left"},
        {{0x00, 0x01}, 2, "impossible field number"},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00}, 7, "impossible field number"},
        {{0x0b}, 1, "unknown wire type"},
        {{0x0d, 1, 2, 3}, 4, "byte 1: a number is cut off"},
        {{0x0d, 1, 2, 3, 4}, 5, "field \"channels\" of caffe.Datum: expected wire type 0, found 5"},
        {{0x0a, 0}, 2, "field \"channels\" of caffe.Datum: expected wire type 0, found 2"},
        {{0x20, 0}, 2, "field \"data\" of caffe.Datum: expected wire type 2, found 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};

        assert_null(unpack_exactly(&caffe__datum__descriptor, cases[i].bytes, cases[i].size, &err));
        if (err.code != EX_DATAERR || strstr(err.text, cases[i].expected) == NULL)
            fail_msg("case %zu: %d: %s", i, err.code, err.text);
    }
}

static void a_missing_required_field_is_an_error(void **state)
{
    static const uint8_t min_only[] = {0x0d, 0, 0, 0, 0};
    struct error err = {0};

    (void)state;
    assert_null(unpack_exactly(&caffe__clip_parameter__descriptor, min_only, sizeof min_only, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "required field of a ClipParameter"));
}

/* `levels` messages inside each other, built from the inside: each is wrapped in field `number` of the next. */
static size_t wrap(uint8_t *bytes, size_t size, const uint8_t *numbers, size_t levels)
{
    for (size_t i = 1; i < levels; i++) {
        uint8_t head[11] = {(uint8_t)(numbers[(levels - 1 - i) % 2] << 3 | 2)};
        size_t n = 1, rest = size;

        for (; rest > 0x7f; rest >>= 7)
            head[n++] = (uint8_t)(rest | 0x80);
        head[n++] = (uint8_t)rest;
        memmove(bytes + n, bytes, size);
        memcpy(bytes, head, n);
        size += n;
    }
    return size;
}

static void nesting_is_limited(void **state)
{
    static const uint8_t sequence_and_element[2] = {4, 1}; /* TypeProto.sequence_type, Sequence.elem_type */
    static const size_t levels[] = {PROTO_MAX_DEPTH, PROTO_MAX_DEPTH + 1, 10000};
    uint8_t *bytes = malloc(1 << 16);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < 3; i++) {
        struct error err = {0};
        size_t size = wrap(bytes, 0, sequence_and_element, levels[i]);
        ProtobufCMessage *message = unpack_exactly(&onnx__type_proto__descriptor, bytes, size, &err);

        if ((message != NULL) != (levels[i] == PROTO_MAX_DEPTH))
            fail_msg("%zu levels: %s", levels[i], err.text);
        if (message == NULL)
            assert_non_null(strstr(err.text, "nested deeper than 64"));
        proto_free_unpacked(message);
    }
    free(bytes);
}

static void bytes_that_look_like_nested_messages_are_data(void **state)
{
    static const uint8_t datas[2] = {4, 4}; /* Datum.data is bytes: what is inside is nobody's business */
    uint8_t *bytes = malloc(1 << 16);
    struct error err = {0};
    size_t size;
    ProtobufCMessage *message;

    (void)state;
    assert_non_null(bytes);
    size = wrap(bytes, 0, datas, 1000);
    message = unpack_exactly(&caffe__datum__descriptor, bytes, size, &err);
    assert_non_null(message);
    proto_free_unpacked(message);
    free(bytes);
}

/* Lengths around that of a token, and contents that look like one. */
static void long_bytes_lie_in_the_input_and_short_ones_do_not(void **state)
{
    static const uint8_t contents[64] = {8, [8] = 255};

    (void)state;
    for (size_t length = 0; length <= sizeof contents; length++) {
        uint8_t bytes[2 + sizeof contents] = {4 << 3 | 2, (uint8_t)length}; /* Datum.data */
        struct error err = {0};
        Caffe__Datum *datum;

        memcpy(bytes + 2, contents, length);
        datum = (Caffe__Datum *)proto_unpack(&caffe__datum__descriptor, bytes, 2 + length, proto_budget(0), &err);
        assert_non_null(datum);
        assert_int_equal(datum->data.len, length);
        assert_memory_equal(datum->data.data, contents, length);
        assert_true((datum->data.data == bytes + 2) == (length >= 16));
        proto_free_unpacked(&datum->base);
    }
}

/* AnnotatedDatum.datum three times: protobuf merges messages, and of a number or bytes the last one holds. */
static void fields_that_come_twice_are_merged(void **state)
{
    uint8_t bytes[256];
    size_t size = 0;
    struct error err = {0};
    Caffe__AnnotatedDatum *annotated;

    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t data_bytes = i == 0 ? 20 : i == 1 ? 30 : 0;
        const uint8_t length = (uint8_t)(2 + (data_bytes > 0 ? 2 + data_bytes : 0));

        memcpy(bytes + size, (uint8_t[]){1 << 3 | 2, length, 1 << 3, (uint8_t)(40 + i)}, 4);
        size += 4;
        if (data_bytes == 0)
            continue;
        memcpy(bytes + size, (uint8_t[]){4 << 3 | 2, data_bytes}, 2);
        memset(bytes + size + 2, 'a' + i, data_bytes);
        size += 2U + data_bytes;
    }
    annotated = (Caffe__AnnotatedDatum *)proto_unpack(&caffe__annotated_datum__descriptor, bytes, size,
                                                      proto_budget(size), &err);
    assert_non_null(annotated);
    assert_int_equal(annotated->datum->channels, 42);
    assert_int_equal(annotated->datum->data.len, 30);
    assert_int_equal(annotated->datum->data.data[29], 'b');
    proto_free_unpacked(&annotated->base);
}

static void lists_of_bytes_point_into_the_input(void **state)
{
    static uint8_t text[3][40] = {"short", "one of more than a token", "another of more than a token"};
    ProtobufCBinaryData strings[3] = {{5, text[0]}, {40, text[1]}, {40, text[2]}};
    Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
    struct error err = {0};
    uint8_t bytes[256];
    size_t size;
    Onnx__TensorProto *back;

    (void)state;
    tensor.n_string_data = 3;
    tensor.string_data = strings;
    size = onnx__tensor_proto__pack(&tensor, bytes);
    back = (Onnx__TensorProto *)proto_unpack(&onnx__tensor_proto__descriptor, bytes, size, proto_budget(size), &err);
    assert_non_null(back);
    assert_int_equal(back->n_string_data, 3);
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *at = back->string_data[i].data;

        assert_int_equal(back->string_data[i].len, strings[i].len);
        assert_memory_equal(at, text[i], strings[i].len);
        assert_true((at >= bytes && at < bytes + size) == (i > 0));
    }
    proto_free_unpacked(&back->base);
}

static void unknown_fields_are_left_out(void **state)
{
    static const uint8_t bytes[] = {0x08, 3, 0xfa, 0x7f, 2, 'h', 'i', 0x10, 4}; /* channels, 2047, height */
    struct error err = {0};
    Caffe__Datum *datum =
        (Caffe__Datum *)proto_unpack(&caffe__datum__descriptor, bytes, sizeof bytes, proto_budget(0), &err);

    (void)state;
    assert_non_null(datum);
    assert_int_equal(datum->channels, 3);
    assert_int_equal(datum->height, 4);
    assert_int_equal(datum->base.n_unknown_fields, 0);
    proto_free_unpacked(&datum->base);
}

/* Two bytes of input become a message of dozens. */
static void memory_is_limited_by_the_budget(void **state)
{
    enum { N = 4096 };
    uint8_t bytes[2 * N];
    struct error err = {0};
    ProtobufCMessage *message;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        bytes[2 * i] = 1 << 3 | 2; /* LabelMap.item, empty */
        bytes[2 * i + 1] = 0;
    }
    assert_null(proto_unpack(&caffe__label_map__descriptor, bytes, sizeof bytes, 64 * 1024, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "more than the 65536 bytes allowed"));
    message = proto_unpack(&caffe__label_map__descriptor, bytes, sizeof bytes, proto_budget(sizeof bytes), &err);
    assert_non_null(message);
    assert_int_equal(((Caffe__LabelMap *)message)->n_item, N);
    proto_free_unpacked(message);
}

static void a_budget_never_overflows(void **state)
{
    (void)state;
    assert_int_equal(proto_budget(0), 64 << 20);
    assert_int_equal(proto_budget(1), (64 << 20) + 64);
    assert_true(proto_budget(SIZE_MAX) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_as_it_was_packed),
        cmocka_unit_test(a_truncated_message_is_refused_with_the_byte),
        cmocka_unit_test(a_damaged_message_is_unpacked_or_refused),
        cmocka_unit_test(each_kind_of_malformed_field_is_named),
        cmocka_unit_test(a_missing_required_field_is_an_error),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(bytes_that_look_like_nested_messages_are_data),
        cmocka_unit_test(long_bytes_lie_in_the_input_and_short_ones_do_not),
        cmocka_unit_test(fields_that_come_twice_are_merged),
        cmocka_unit_test(lists_of_bytes_point_into_the_input),
        cmocka_unit_test(unknown_fields_are_left_out),
        cmocka_unit_test(memory_is_limited_by_the_budget),
        cmocka_unit_test(a_budget_never_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
