/* test_mean_file.c — mean pictures, Caffe's and NumPy's: every shape that they have, and files that lie. */
#include "formats/caffe/mean.h"
#include "formats/mean_file.h"

#include <caffe.pb-c.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const float values[] = {1, 2, 3.5f, -4, 5, 6, 7, 8, 9, 10, 11, 12};

static Caffe__BlobProto new_blob(void)
{
    Caffe__BlobProto blob = CAFFE__BLOB_PROTO__INIT;

    blob.n_data = 12;
    blob.data = (float *)(uintptr_t)values;
    return blob;
}

static void set_legacy(Caffe__BlobProto *blob, int num, int channels, int height, int width)
{
    blob->has_num = blob->has_channels = blob->has_height = blob->has_width = 1;
    blob->num = num;
    blob->channels = channels;
    blob->height = height;
    blob->width = width;
}

static int parse(const Caffe__BlobProto *blob, struct step_file *file, struct arena *arena, struct error *err)
{
    size_t size = caffe__blob_proto__get_packed_size(blob);
    uint8_t *bytes = malloc(size + 1);
    int rc;

    assert_non_null(bytes);
    caffe__blob_proto__pack(blob, bytes);
    rc = caffe_mean_parse(bytes, size, file, arena, err);
    free(bytes);
    return rc;
}

static void expect(const Caffe__BlobProto *blob, size_t channels, size_t height, size_t width)
{
    struct arena *arena = arena_create(NULL);
    struct step_file file = {0};
    struct error err = {0};

    if (parse(blob, &file, arena, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(file.channels == channels && file.height == height && file.width == width);
    assert_memory_equal(file.values, values, sizeof values);
    arena_destroy(arena);
}

static void both_shapes_of_blobs_and_doubles_are_read(void **state)
{
    Caffe__BlobShape shape = CAFFE__BLOB_SHAPE__INIT;
    int64_t dims[] = {1, 3, 2, 2}, other[] = {12};
    Caffe__BlobProto blob = new_blob();
    double doubles[12];

    (void)state;
    set_legacy(&blob, 1, 3, 2, 2);
    expect(&blob, 3, 2, 2);
    blob.shape = &shape; /* the legacy one wins */
    shape.n_dim = 1;
    shape.dim = other;
    expect(&blob, 3, 2, 2);
    blob = new_blob();
    blob.shape = &shape;
    shape.n_dim = 4;
    shape.dim = dims;
    expect(&blob, 3, 2, 2);
    shape.n_dim = 3;
    shape.dim = dims + 1;
    expect(&blob, 3, 2, 2);
    for (size_t i = 0; i < 12; i++)
        doubles[i] = (double)values[i];
    blob.n_data = 0;
    blob.n_double_data = 12;
    blob.double_data = doubles;
    expect(&blob, 3, 2, 2);
}

static void sizes_that_do_not_fit_the_values_are_refused(void **state)
{
    static const struct {
        int dims[4];
        const char *text;
    } cases[] = {{{2, 3, 2, 1}, "expected one mean picture, found 2"},
                 {{1, 3, 2, 3}, "expected a mean of 3x2x3 values, found 12 values"},
                 {{1, 0, 0, 0}, "found 12 values"},
                 {{1, -3, -2, 2}, "found 12 values"},
                 {{1, 1 << 30, 1 << 30, 1 << 30}, "found 12 values"}};
    struct arena *arena = arena_create(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Caffe__BlobProto blob = new_blob();
        struct step_file file = {0};
        struct error err = {0};

        set_legacy(&blob, cases[i].dims[0], cases[i].dims[1], cases[i].dims[2], cases[i].dims[3]);
        assert_int_equal(parse(&blob, &file, arena, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
        if (strstr(err.text, cases[i].text) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", cases[i].text, err.text);
    }
    arena_destroy(arena);
}

/* The file at `path`, of one pixel of `value`. */
static void write_file(const char *path, float value, size_t cut)
{
    Caffe__BlobProto blob = CAFFE__BLOB_PROTO__INIT;
    uint8_t bytes[64];
    size_t size;
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    set_legacy(&blob, 1, 1, 1, 1);
    blob.n_data = 1;
    blob.data = &value;
    size = caffe__blob_proto__pack(&blob, bytes);
    assert_int_equal(fwrite(bytes, 1, size - cut, out), size - cut);
    assert_int_equal(fclose(out), 0);
}

static void a_bad_file_is_named(void **state)
{
    char path[] = "/tmp/etalon-test.mean.XXXXXX";
    struct step_file file = {.path = path};
    struct arena *arena = arena_create(NULL);
    struct error err = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && close(fd) == 0);
    write_file(path, 3, 0);
    assert_int_equal(mean_file_read(&file, arena, &err), 0);
    assert_true(file.values[0] == 3);
    write_file(path, NAN, 0);
    assert_int_equal(mean_file_read(&file, arena, &err), -1);
    assert_non_null(strstr(err.text, "expected finite means, value 0 is nan"));
    assert_non_null(strstr(err.text, path));
    write_file(path, 3, 1);
    assert_int_equal(mean_file_read(&file, arena, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mean_file_read(&file, arena, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    arena_destroy(arena);
}

/* The file at `path`: a .npy of version 1 with this type and shape, and n bytes of elements. */
static void write_npy(const char *path, const char *descr, const char *shape, const void *elements, size_t n)
{
    char header[128];
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    fprintf(out, "\x93NUMPY%c%c%c%c%s", 1, 0, (int)strlen(header), 0, header);
    assert_int_equal(fwrite(elements, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void arrays_of_numpy_are_read_by_their_ending(void **state)
{
    static const uint8_t bytes[] = {104, 117, 123};
    static const struct {
        const char *descr, *shape;
        const void *elements;
        size_t n, dims[3];
        const char *refusal;
    } cases[] = {
        {"<f4", "(3, 2, 2)", values, sizeof values, {3, 2, 2}, NULL},
        {"<f4", "(1, 3, 2, 2)", values, sizeof values, {3, 2, 2}, NULL},
        {"<f4", "(4, 3)", values, sizeof values, {1, 4, 3}, NULL},
        {"<f4", "(12,)", values, sizeof values, {12, 1, 1}, NULL},
        {"|u1", "(3,)", bytes, sizeof bytes, {3, 1, 1}, NULL},
        {"<f4", "(2, 3, 2, 1)", values, sizeof values, {0}, "expected one mean picture of 1 to 4 dims, found 2x3x2x1"},
        {"<f4", "(1, 1, 3, 2, 2)", values, sizeof values, {0}, "found 1x1x3x2x2"},
        {"<f4", "()", values, 4, {0}, "expected one mean picture"},
        {"<f4", "(3, 2, 2)", values, 44, {0}, "expected 3x2x2 elements of float32, 48 bytes, found 44"},
        {"<f4", "(3, 2, 2", values, sizeof values, {0}, "of the header"},
        {"<f4", "(0, 2, 2)", values, 0, {0}, "expected 1 to"},
    };
    char path[] = "/tmp/etalon-test.mean.XXXXXX.npy";
    struct arena *arena = arena_create(NULL);
    int fd = mkstemps(path, 4);

    (void)state;
    assert_true(fd >= 0 && close(fd) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct step_file file = {.path = path};
        struct error err = {0};
        int rc;

        write_npy(path, cases[i].descr, cases[i].shape, cases[i].elements, cases[i].n);
        rc = mean_file_read(&file, arena, &err);
        if (cases[i].refusal != NULL) {
            if (rc == 0 || strstr(err.text, cases[i].refusal) == NULL || strstr(err.text, path) == NULL)
                fail_msg("expected \"%s\", found %d \"%s\"", cases[i].refusal, rc, err.text);
            assert_int_equal(err.code, EX_DATAERR);
            continue;
        }
        if (rc != 0)
            fail_msg("%s", err.text);
        assert_int_equal(file.channels, cases[i].dims[0]);
        assert_int_equal(file.height, cases[i].dims[1]);
        assert_int_equal(file.width, cases[i].dims[2]);
        for (size_t k = 0; k < file.channels * file.height * file.width; k++)
            assert_true(file.values[k] == (cases[i].elements == bytes ? (float)bytes[k] : values[k]));
    }
    assert_int_equal(unlink(path), 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_shapes_of_blobs_and_doubles_are_read),
        cmocka_unit_test(sizes_that_do_not_fit_the_values_are_refused),
        cmocka_unit_test(a_bad_file_is_named),
        cmocka_unit_test(arrays_of_numpy_are_read_by_their_ending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
