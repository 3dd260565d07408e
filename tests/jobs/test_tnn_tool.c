/* test_tnn_tool.c — a job in tnn's mode tool-exact writes the numbers of TNN's own quantization tool, bit for bit. */
#include "coordinator/run.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"
#include "jobs/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN SHARED_DATA "/tnn_golden/"

static char folder[] = "/tmp/etalon-tool.XXXXXX";

/* One file that the tool wrote, and the job that asks for the same. */
static const struct recipe {
    const char *name, *activations, *weights, *granularity;
    const char *model; /* the same network in both versions of the format */
} recipes[] = {
    {"b0w0t0", "minmax", "maxabs", "per-channel", "tiny_v1"}, {"b0w0t1", "minmax", "maxabs", "mixed", "tiny_v2"},
    {"b0w1t0", "minmax", "admm", "per-channel", "tiny_v2"},   {"b0w1t1", "minmax", "admm", "mixed", "tiny_v1"},
    {"b2w0t1", "kl-tnn", "maxabs", "mixed", "tiny_v1"},       {"b2w1t0", "kl-tnn", "admm", "per-channel", "tiny_v1"},
    {"b2w1t1", "kl-tnn", "admm", "mixed", "tiny_v2"},
};

static void read_model(const char *path, struct bytes *file, struct arena *arena, struct tnn_model *model)
{
    struct error err = {0};

    if (bytes_read(path, 1 << 20, file, &err) != 0 || tnn_model_read(file, arena, model, &err) != 0)
        fail_msg("%s", err.text);
}

/* The numbers, whatever shape the file says they have. */
static void assert_same(const struct recipe *recipe, const char *name, const char *what, const struct tnn_raw *expected,
                        const struct tnn_raw *found)
{
    size_t n = (size_t)tnn_raw_count(expected);

    if (expected->size != found->size || expected->dtype != found->dtype)
        fail_msg("%s: %s of \"%s\": expected %zu bytes of type %d, found %zu of type %d", recipe->name, what, name,
                 expected->size, expected->dtype, found->size, found->dtype);
    for (size_t i = 0; i < n; i++)
        if (tnn_raw_real(expected, i) != tnn_raw_real(found, i))
            fail_msg("%s: %s of \"%s\", element %zu: expected %.9g, found %.9g", recipe->name, what, name, i,
                     tnn_raw_real(expected, i), tnn_raw_real(found, i));
    assert_int_equal(n > 0 ? memcmp(expected->data, found->data, expected->size) : 0, 0);
}

static bool is_zero(const struct tnn_raw *raw)
{
    for (size_t i = 0; i < raw->size; i++)
        if (raw->data[i] != 0)
            return false;
    return true;
}

/* An Add and the ReLU behind it are one node here, and the blob between them has another name. Both have one scale. */
static const char *our_name(const char *name)
{
    return strcmp(name, "a1_scale_data_") == 0 ? "r3_scale_data_" : name;
}

/* Every layer and every scale that the tool wrote. A convolution without a bias has one of zeros here. */
static void assert_same_model(const struct recipe *recipe, const struct tnn_model *expected,
                              const struct tnn_model *found)
{
    size_t n_layers = 0, n_scales = 0;

    for (size_t i = 0; i < expected->n_resources; i++) {
        const struct tnn_resource *e = &expected->resources[i];
        const struct tnn_resource *f = tnn_resource_find(found, our_name(e->name));

        if (f == NULL)
            fail_msg("%s: \"%s\" is missing", recipe->name, e->name);
        assert_same(recipe, e->name, "weights", &e->main, &f->main);
        assert_same(recipe, e->name, "scales", &e->scale, &f->scale);
        assert_same(recipe, e->name, "zero points", &e->zero_point, &f->zero_point);
        if (e->bias.size > 0)
            assert_same(recipe, e->name, "biases", &e->bias, &f->bias);
        else
            assert_true(is_zero(&f->bias));
        n_layers += e->main.dtype == TNN_INT8 && e->main.size > 0;
        n_scales += strcmp(e->type, "BlobScale") == 0;
    }
    assert_int_equal(n_layers, 7);
    assert_int_equal(n_scales, 14);
}

static struct job *read_job(const struct recipe *recipe)
{
    struct error err = {0};
    char path[64];
    struct job *job;
    FILE *file;

    snprintf(path, sizeof path, "%s/job.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "model: {file: %s%s.tnnproto, weights: %s%s.tnnmodel}\n"
            "dataset: {kind: txt, path: %scalibration}\n"
            "calibration: {activations: %s, weights: %s, granularity: %s, passes: two, block: 3}\n"
            "targets: [tnn]\n"
            "target_options: {tnn: {mode: tool-exact}}\n"
            "evaluate: {skip: true}\n"
            "output: %s\n",
            GOLDEN, recipe->model, GOLDEN, recipe->model, GOLDEN, recipe->activations, recipe->weights,
            recipe->granularity, recipe->name);
    assert_int_equal(fclose(file), 0);
    job = job_read(path, NULL, 0, &err);
    if (job == NULL)
        fail_msg("%s", err.text);
    return job;
}

static void every_file_of_the_tool_is_reproduced(void **state)
{
    struct comm alone = {0, 1};

    (void)state;
    if (access(GOLDEN "tiny_v1.tnnproto", R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        struct job *job = read_job(&recipes[i]);
        struct arena *arena = arena_create(NULL);
        struct tnn_model expected, found;
        struct bytes files[2];
        struct error err = {0};
        char path[256];
        bool is_finished;

        if (run_calibrate(&alone, job_request(job), NULL, &is_finished, &err) != 0)
            fail_msg("%s: %s", recipes[i].name, err.text);
        snprintf(path, sizeof path, "%s%s.quantized.tnnmodel", GOLDEN, recipes[i].name);
        read_model(path, &files[0], arena, &expected);
        snprintf(path, sizeof path, "%s/%s/tnn/%s.quantized.tnnmodel", folder, recipes[i].name, recipes[i].model);
        read_model(path, &files[1], arena, &found);
        assert_same_model(&recipes[i], &expected, &found);
        bytes_free(&files[0]);
        bytes_free(&files[1]);
        arena_destroy(arena);
        job_destroy(job);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_the_tool_is_reproduced),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
