/* test_proto_text_write.c — messages as text read back as the same messages, byte for byte. */
#include "../common/draw.h"

#include "formats/proto_guard.h"
#include "formats/proto_text.h"
#include "formats/proto_text_write.h"

#include <caffe.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *write_text(const ProtobufCMessage *message, const char *omitted, size_t *size)
{
    const ProtobufCFieldDescriptor *field =
        omitted == NULL ? NULL
                        : protobuf_c_message_descriptor_get_field_by_name(&caffe__layer_parameter__descriptor, omitted);
    struct error err = {0};
    char *text;

    assert_int_equal(proto_text_write(message, field, &text, size, &err), 0);
    assert_int_equal(strlen(text), *size);
    return text;
}

static void assert_text(const ProtobufCMessage *message, const char *expected)
{
    size_t size;
    char *text = write_text(message, NULL, &size);

    assert_string_equal(text, expected);
    free(text);
}

/* The packed bytes of both are compared. */
static void assert_reads_back(const ProtobufCMessage *message)
{
    size_t size, n = protobuf_c_message_get_packed_size(message);
    char *text = write_text(message, NULL, &size);
    struct error err = {0};
    ProtobufCMessage *back = proto_text_parse(message->descriptor, (const uint8_t *)text, size, NULL, &err);
    uint8_t *a = malloc(n + 1), *b = malloc(n + 1);

    if (back == NULL)
        fail_msg("%s in\n%s", err.text, text);
    assert_int_equal(protobuf_c_message_get_packed_size(back), n);
    assert_int_equal(protobuf_c_message_pack(message, a), n);
    assert_int_equal(protobuf_c_message_pack(back, b), n);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    free(text);
    proto_free(back);
}

static void fields_are_one_a_line_and_unset_ones_left_out(void **state)
{
    char name[] = "conv", type[] = "Convolution", bottom[] = "data", *bottoms[] = {bottom};
    uint32_t kernel[] = {3, 5};
    Caffe__NetParameter net = CAFFE__NET_PARAMETER__INIT;
    Caffe__LayerParameter layer = CAFFE__LAYER_PARAMETER__INIT, *layers[] = {&layer};
    Caffe__ConvolutionParameter param = CAFFE__CONVOLUTION_PARAMETER__INIT;
    Caffe__PoolingParameter pooling = CAFFE__POOLING_PARAMETER__INIT;

    (void)state;
    net.n_layer = 1;
    net.layer = layers;
    layer.name = name;
    layer.type = type;
    layer.n_bottom = 1;
    layer.bottom = bottoms;
    layer.convolution_param = &param;
    param.has_bias_term = true;
    param.bias_term = false;
    param.n_kernel_size = 2;
    param.kernel_size = kernel;
    pooling.has_pool = true;
    pooling.pool = CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE;
    layer.pooling_param = &pooling;
    assert_text(&net.base, "layer {\n"
                           "  name: \"conv\"\n"
                           "  type: \"Convolution\"\n"
                           "  bottom: \"data\"\n"
                           "  convolution_param {\n"
                           "    bias_term: false\n"
                           "    kernel_size: 3\n"
                           "    kernel_size: 5\n"
                           "  }\n"
                           "  pooling_param {\n"
                           "    pool: AVE\n"
                           "  }\n"
                           "}\n");
}

static void an_omitted_field_is_left_out_wherever_it_is(void **state)
{
    char name[] = "a";
    Caffe__NetParameter net = CAFFE__NET_PARAMETER__INIT;
    Caffe__LayerParameter layer = CAFFE__LAYER_PARAMETER__INIT, *layers[] = {&layer, &layer};
    Caffe__BlobProto blob = CAFFE__BLOB_PROTO__INIT, *blobs[] = {&blob};
    size_t size;
    char *text;

    (void)state;
    net.n_layer = 2;
    net.layer = layers;
    layer.name = name;
    layer.n_blobs = 1;
    layer.blobs = blobs;
    text = write_text(&net.base, "blobs", &size);
    assert_string_equal(text, "layer {\n  name: \"a\"\n}\nlayer {\n  name: \"a\"\n}\n");
    free(text);
}

static void an_empty_message_is_an_empty_text(void **state)
{
    Caffe__NetParameter net = CAFFE__NET_PARAMETER__INIT;

    (void)state;
    assert_text(&net.base, "");
}

static void every_byte_of_a_name_comes_back(void **state)
{
    Caffe__NetParameter net = CAFFE__NET_PARAMETER__INIT;
    char name[256];

    (void)state;
    for (int i = 0; i < 255; i++)
        name[i] = (char)(i + 1);
    name[255] = '\0';
    net.name = name;
    assert_reads_back(&net.base);
    net.name = (char[]){'\001', '7', '\0'}; /* a digit behind an escape is no part of it */
    assert_text(&net.base, "name: \"\\0017\"\n");
    net.name = (char[]){'a', '"', '\\', '\n', '\0'};
    assert_text(&net.base, "name: \"a\\\"\\\\\\n\"\n");
}

static void numbers_of_every_type_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        Caffe__BlobProto blob = CAFFE__BLOB_PROTO__INIT;
        Caffe__BlobShape shape = CAFFE__BLOB_SHAPE__INIT;
        float data[3];
        double doubles[2];
        int64_t dims[2] = {(int64_t)draw(), -1};

        for (size_t k = 0; k < 3; k++)
            do
                data[k] = draw_any_float();
            while (isnan(data[k]));
        for (size_t k = 0; k < 2; k++)
            doubles[k] = draw_normal() * exp(draw_uniform(-300, 300));
        blob.has_num = draw_below(2) == 0;
        blob.num = (int32_t)draw();
        blob.n_data = draw_below(4);
        blob.data = data;
        blob.n_double_data = draw_below(3);
        blob.double_data = doubles;
        shape.n_dim = 2;
        shape.dim = dims;
        blob.shape = &shape;
        assert_reads_back(&blob.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_one_a_line_and_unset_ones_left_out),
        cmocka_unit_test(an_omitted_field_is_left_out_wherever_it_is),
        cmocka_unit_test(an_empty_message_is_an_empty_text),
        cmocka_unit_test(every_byte_of_a_name_comes_back),
        cmocka_unit_test(numbers_of_every_type_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
