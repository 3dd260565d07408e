/* test_options.c — command lines of a made-up verb. */
#include "jobs/options.h"

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_WORDS = 2, MAX_ARGUMENTS = 80 };

/* What one command line was read as. */
struct line {
    bool force, wants_help;
    const char *output;
    struct option_list sets;
    const char *words[MAX_WORDS];
    size_t n_words;
    struct error err;
    int rc;
};

static struct line read_arguments(int argc, char **argv)
{
    static struct line line; /* its address is in the table */
    const struct option options[] = {
        {"force", 'f', OPTION_FLAG, &line.force, NULL, "replace"},
        {"output_folder", 0, OPTION_TEXT, &line.output, "DIR", "where"},
        {"set", 0, OPTION_LIST, &line.sets, "KEY=VALUE", "override"},
        {0},
    };

    line = (struct line){0};
    line.rc = options_read(argc, argv, options, line.words, MAX_WORDS, &line.n_words, &line.wants_help, &line.err);
    return line;
}

/* "a b c" with argv[0] put before it. */
static struct line read_line(const char *text)
{
    static char copy[1024];
    char *argv[MAX_ARGUMENTS] = {"verb"};
    int argc = 1;

    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    return read_arguments(argc, argv);
}

static void refused(const char *text, const char *expected)
{
    struct line line = read_line(text);

    assert_int_equal(line.rc, -1);
    assert_int_equal(line.err.code, EX_USAGE);
    if (strstr(line.err.text, expected) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", line.err.text, expected);
}

static void options_and_words_may_be_mixed(void **state)
{
    struct line line = read_line("a.yaml --set x=1 -f --output_folder=out --set y=2=3 b");

    (void)state;
    assert_int_equal(line.rc, 0);
    assert_true(line.force);
    assert_false(line.wants_help);
    assert_string_equal(line.output, "out");
    assert_int_equal(line.sets.n, 2);
    assert_string_equal(line.sets.items[0], "x=1");
    assert_string_equal(line.sets.items[1], "y=2=3");
    assert_int_equal(line.n_words, 2);
    assert_string_equal(line.words[0], "a.yaml");
    assert_string_equal(line.words[1], "b");
}

static void one_dash_or_two_dashes_or_underscores_are_the_same(void **state)
{
    static const char *const spellings[] = {"--output_folder o", "-output_folder o", "--output-folder o",
                                            "-output-folder=o"};

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct line line = read_line(spellings[i]);

        assert_int_equal(line.rc, 0);
        assert_string_equal(line.output, "o");
    }
    refused("--output.folder o", "does not exist");
}

static void two_dashes_end_the_options_and_one_alone_is_a_word(void **state)
{
    struct line line = read_line("- -- --force");

    (void)state;
    assert_int_equal(line.rc, 0);
    assert_false(line.force);
    assert_string_equal(line.words[0], "-");
    assert_string_equal(line.words[1], "--force");
}

static void the_options_of_every_verb_are_read(void **state)
{
    (void)state;
    assert_true(read_line("--help").wants_help);
    assert_true(read_line("-h").wants_help);
    log_setup(LOG_INFO, -1);
    assert_int_equal(read_line("-v").rc, 0);
    assert_int_equal(log_level_now(), LOG_DEBUG);
    assert_int_equal(read_line("--quiet").rc, 0);
    assert_int_equal(log_level_now(), LOG_ERROR);
}

static void a_wrong_option_names_the_nearest_right_one(void **state)
{
    (void)state;
    refused("--forse", "the nearest is \"--force\"");
    refused("--verbos", "the nearest is \"--verbose\"");                 /* common options count */
    refused("--sett=a.very.long.key=value", "the nearest is \"--set\""); /* the value does not */
    refused("--sett=a.very.long.key=value", "\"--sett=a.very.long.key=value\" does not exist");
}

static void values_are_given_where_they_belong(void **state)
{
    (void)state;
    refused("--set", "--set needs a value: KEY=VALUE");
    refused("--force=perhaps", "--force: expected true or false, found \"perhaps\"");
    refused("--help=yes", "--help takes no value");
    refused("a b c", "unexpected word \"c\"");
}

static void a_list_has_an_end(void **state)
{
    char *argv[OPTION_LIST_MAX + 2] = {"verb"};

    (void)state;
    for (int i = 1; i < OPTION_LIST_MAX + 2; i++)
        argv[i] = "--set=a=1";
    assert_int_equal(read_arguments(OPTION_LIST_MAX + 1, argv).rc, 0);
    assert_int_equal(read_arguments(OPTION_LIST_MAX + 1, argv).sets.n, OPTION_LIST_MAX);
    assert_int_equal(read_arguments(OPTION_LIST_MAX + 2, argv).rc, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_may_be_mixed),
        cmocka_unit_test(one_dash_or_two_dashes_or_underscores_are_the_same),
        cmocka_unit_test(two_dashes_end_the_options_and_one_alone_is_a_word),
        cmocka_unit_test(the_options_of_every_verb_are_read),
        cmocka_unit_test(a_wrong_option_names_the_nearest_right_one),
        cmocka_unit_test(values_are_given_where_they_belong),
        cmocka_unit_test(a_list_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
