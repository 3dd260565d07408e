/* test_slurm.c — what sinfo says of a partition, and the batch script for it. tests/e2e/slurm.sh submits one. */
#include "jobs/slurm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static void the_smallest_node_and_all_nodes_count(void **state)
{
    struct slurm_partition p = {.name = "cpu"};
    struct error err = {0};

    (void)state;
    assert_int_equal(slurm_read("2 24 2 4 1-00:00:00 \n1 32 1 8 1-00:00:00 \n", &p, &err), 0);
    assert_string_equal(p.name, "cpu");
    assert_int_equal(p.sockets, 1);
    assert_int_equal(p.cores, 24);
    assert_int_equal(p.threads, 1);
    assert_int_equal(p.nodes, 12);
}

static void of_several_partitions_the_shortest_limit_counts(void **state)
{
    static const char *const texts[] = {"1 1 1 1 infinite\n1 1 1 1 4:00:00\n1 1 1 1 8:00:00\n",
                                        "1 1 1 1 4:00:00\n1 1 1 1 8:00:00\n1 1 1 1 infinite\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slurm_partition p = {.name = "a,b"};
        struct error err = {0};

        assert_int_equal(slurm_read(texts[i], &p, &err), 0);
        assert_true(p.limit_s == 4 * HOUR);
    }
}

static void limits_are_read_in_all_forms_of_slurm(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } rows[] = {
        {"infinite", SLURM_NO_LIMIT},
        {"30:00", 30 * MINUTE},
        {"2:00:00", 2 * HOUR},
        {"45", 45},
        {"3-00:00:00", (uint64_t)3 * DAY},
        {"1-02:03:04", DAY + 2 * HOUR + 3 * MINUTE + 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slurm_partition p = {.name = "cpu"};
        struct error err = {0};
        char text[64];

        snprintf(text, sizeof text, "1 1 1 1 %s\n", rows[i].text);
        assert_int_equal(slurm_read(text, &p, &err), 0);
        assert_true(p.limit_s == rows[i].seconds);
    }
}

static void what_is_no_partition_is_an_error(void **state)
{
    static const struct {
        const char *text, *message;
        int code;
    } rows[] = {
        {"", "Slurm has no partition \"cpu\"", EX_CONFIG},
        {"2 24 2", "found \"2 24 2\"", EX_DATAERR},
        {"0 24 2 4 infinite", "found \"0 24 2 4 infinite\"", EX_DATAERR},
        {"2 24 2 4 soon", "found \"2 24 2 4 soon\"", EX_DATAERR},
        {"2 24 2 4 infinite\nand so on", "found \"and so on\"", EX_DATAERR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slurm_partition p = {.name = "cpu"};
        struct error err = {0};

        assert_int_equal(slurm_read(rows[i].text, &p, &err), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, rows[i].message));
    }
}

/* The script for this partition; the caller frees it. */
static char *print_script(struct slurm_partition partition, const char *name, const char *word)
{
    struct error err = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(slurm_print(&partition, name, &word, 1, out, &err), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void a_script_takes_whole_nodes_and_the_time_there_is(void **state)
{
    static const struct {
        struct slurm_partition partition;
        const char *expected[3];
    } rows[] = {
        {{"cpu", 2, 24, 2, SLURM_NO_LIMIT, 9},
         {"--ntasks-per-node=2 --cpus-per-task=24 --hint=nomultithread\n", "--time=1440 ", "--signal=B:USR1@240 "}},
        {{"day", 2, 24, 1, 8 * HOUR, 9},
         {"--ntasks-per-node=2 --cpus-per-task=24\n", "--time=480 ", "--signal=B:USR1@240 "}},
        {{"short", 1, 4, 1, 6 * MINUTE, 9},
         {"--ntasks-per-node=1 --cpus-per-task=4\n", "--time=6 ", "--signal=B:USR1@120 "}},
        {{"seconds", 1, 4, 1, 30, 9}, {"--ntasks-per-node=1 --cpus-per-task=4\n", "--time=1 ", "--signal=B:USR1@20 "}},
        {{"a,b", 1, 4, 1, HOUR, 9}, {" --partition=a,b\n", "--time=60 ", "--signal=B:USR1@240 "}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = print_script(rows[i].partition, "net", "job.yaml");

        for (size_t j = 0; j < 3; j++)
            assert_non_null(strstr(text, rows[i].expected[j]));
        assert_ptr_equal(strstr(text, "#!/bin/bash\n#SBATCH "), text);
        assert_non_null(strstr(text, "scontrol requeue"));
        free(text);
    }
}

static void words_and_names_stay_what_they_are_in_a_shell(void **state)
{
    struct slurm_partition partition = {"cpu", 1, 1, 1, HOUR, 1};
    char *text = print_script(partition, "my net\n#SBATCH --exclusive", "it's; $(ls).yaml");

    (void)state;
    assert_non_null(strstr(text, "\nset -- calibrate 'it'\\''s; $(ls).yaml'\n"));
    assert_non_null(strstr(text, "--job-name=etalon-my_net__SBATCH_--exclusive --partition=cpu\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_node_and_all_nodes_count),
        cmocka_unit_test(of_several_partitions_the_shortest_limit_counts),
        cmocka_unit_test(limits_are_read_in_all_forms_of_slurm),
        cmocka_unit_test(what_is_no_partition_is_an_error),
        cmocka_unit_test(a_script_takes_whole_nodes_and_the_time_there_is),
        cmocka_unit_test(words_and_names_stay_what_they_are_in_a_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
