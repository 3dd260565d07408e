/* test_caffe_hdf5.c — weights in Caffe's HDF5 snapshots: the same network as from a .caffemodel. */
#include "caffe_files.h"

#include "common/log.h"

#include <hdf5.h>

static const char net[] = INPUT("1, 2, 3, 3") "layer { name: 'block/1x1' type: 'Convolution' bottom: 'data' top: 'c' "
                                              "convolution_param { num_output: 3 kernel_size: 1 } }\n"
                                              "layer { name: 'ip' type: 'InnerProduct' bottom: 'c' top: 'ip' "
                                              "inner_product_param { num_output: 2 bias_term: false } }\n";
static const char weights[] = "block/1x1:3x2x1x1,3;ip:2x27";

static hid_t create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(file >= 0);
    return file;
}

/* data[...] of `type`, at `name`, with the groups on the way. */
static void put(hid_t file, const char *name, hid_t type, const hsize_t *dims, int rank, const void *data)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, dims, NULL), set;

    assert_true(H5Pset_create_intermediate_group(links, 1) >= 0);
    set = H5Dcreate2(file, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    if (data != NULL)
        assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(links);
}

/* The blobs of new_weights(spec), as floats or doubles. */
static void write_snapshot(const char *path, const char *spec, bool as_double)
{
    Caffe__NetParameter *message = new_weights(spec);
    hid_t file = create(path);

    for (size_t i = 0; i < message->n_layer; i++)
        for (size_t k = 0; k < message->layer[i]->n_blobs; k++) {
            const Caffe__BlobProto *blob = message->layer[i]->blobs[k];
            double *doubles = calloc(blob->n_data, sizeof *doubles);
            hsize_t dims[8];
            char name[128];

            for (size_t d = 0; d < blob->shape->n_dim; d++)
                dims[d] = (hsize_t)blob->shape->dim[d];
            for (size_t j = 0; j < blob->n_data; j++)
                doubles[j] = (double)blob->data[j];
            snprintf(name, sizeof name, "data/%s/%zu", message->layer[i]->name, k);
            put(file, name, as_double ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT, dims, (int)blob->shape->n_dim,
                as_double ? (const void *)doubles : blob->data);
            free(doubles);
        }
    H5Fclose(file);
    caffe__net_parameter__free_unpacked(message, NULL);
}

static struct graph *import(const struct caffe_files *files, struct error *err)
{
    struct model_request request = {.file = files->prototxt, .weights = files->weights};

    *err = (struct error){0};
    write_file(files->prototxt, net, strlen(net));
    return model_import(&request, err);
}

static void check_same_constants(const struct graph *a, const struct graph *b)
{
    size_t n = 0;

    assert_int_equal(a->n_values, b->n_values);
    for (size_t i = 0; i < a->n_values; i++) {
        assert_string_equal(a->values[i].name, b->values[i].name);
        assert_int_equal(a->values[i].is_constant, b->values[i].is_constant);
        if (!a->values[i].is_constant || a->values[i].data == NULL)
            continue;
        assert_memory_equal(a->values[i].data, b->values[i].data,
                            (size_t)shape_elements(&a->values[i].shape) * sizeof(float));
        n++;
    }
    assert_true(n >= 3);
}

static void a_snapshot_is_the_network_of_its_caffemodel(void **state)
{
    const struct caffe_files *files = *state;
    struct graph *expected = must_import(files, net, weights, NULL);

    for (int as_double = 0; as_double < 2; as_double++) {
        struct error err;
        struct graph *found;

        write_snapshot(files->weights, weights, as_double == 1);
        found = import(files, &err);
        if (found == NULL)
            fail_msg("%s", err.text);
        check_same_constants(expected, found);
        graph_destroy(found);
    }
    graph_destroy(expected);
}

static void refused(const struct caffe_files *files, const char *expected)
{
    struct error err;

    assert_null(import(files, &err));
    assert_int_equal(err.code, EX_DATAERR);
    if (strstr(err.text, expected) == NULL || strstr(err.text, files->weights) == NULL)
        fail_msg("\"%s\" does not mention \"%s\" and the file", err.text, expected);
}

static void what_is_no_snapshot_is_refused(void **state)
{
    static const hsize_t three = 3, large[2] = {1 << 20, 1 << 20};
    static const hsize_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const int numbers[3] = {1, 2, 3};
    static const float value = 1;
    const struct caffe_files *files = *state;
    const struct {
        const char *name;
        hid_t type;
        const hsize_t *dims;
        int rank;
        const void *data;
        const char *expected;
    } cases[] = {
        {"other/ip/0", H5T_NATIVE_INT, &three, 1, numbers, "it has no group \"data\""},
        {"data/ip/0", H5T_NATIVE_INT, &three, 1, numbers, "data/ip/0: expected floats"},
        {"data/ip/0", H5T_NATIVE_FLOAT, nine, 9, &value, "at most 8 axes"},
        {"data/ip/0", H5T_NATIVE_FLOAT, large, 2, NULL, "more numbers than a file of this size may hold"},
        {"data/ip/1", H5T_NATIVE_FLOAT, &three, 1, numbers, "data/ip has 2 blobs, but none called 0"},
        {"data/ip/w", H5T_NATIVE_FLOAT, &three, 1, numbers, "expected a name such as conv1/0"},
        {"data/0", H5T_NATIVE_FLOAT, &three, 1, numbers, "expected a name such as conv1/0"},
        {"data/ip/0", H5T_NATIVE_FLOAT, &three, 1, numbers, "found none among 1 layers"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = create(files->weights);

        put(file, cases[i].name, cases[i].type, cases[i].dims, cases[i].rank, cases[i].data);
        H5Fclose(file);
        refused(files, cases[i].expected);
    }
    H5Fclose(create(files->weights));
    refused(files, "it has no group \"data\"");
    {
        hid_t file = create(files->weights);

        put(file, "other/ip/0", H5T_NATIVE_FLOAT, &three, 1, numbers);
        assert_true(H5Lcreate_soft("/other", file, "data", H5P_DEFAULT, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        refused(files, "it has no group \"data\"");
    }
}

/* The library's walk takes a time that grows with the square of the depth: thousands of groups fit into a small file.
 */
static void groups_nested_too_deep_are_refused(void **state)
{
    enum { DEPTH = 70 };
    static const hsize_t three = 3;
    static const float values[3] = {1, 2, 3};
    const struct caffe_files *files = *state;
    char name[16 + 2 * DEPTH] = "data";
    hid_t file = create(files->weights);

    for (size_t i = 0; i < DEPTH; i++)
        strcat(name, "/a");
    strcat(name, "/0");
    put(file, name, H5T_NATIVE_FLOAT, &three, 1, values);
    H5Fclose(file);
    refused(files, "groups are nested deeper than 64");
}

static int start(void **state)
{
    log_setup(LOG_ERROR, -1);
    return make_files(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_the_network_of_its_caffemodel),
        cmocka_unit_test(what_is_no_snapshot_is_refused),
        cmocka_unit_test(groups_nested_too_deep_are_refused),
    };

    return cmocka_run_group_tests(tests, start, remove_files);
}
