/* Tests of log.h. */
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* What the warning of rank 3 looks like; empty: it keeps silent. */
static void warn(char text[64])
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    size_t n;

    assert_true(file != NULL && before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    log_warning("so it is");
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    rewind(file);
    n = fread(text, 1, 63, file);
    text[n] = '\0';
    close(before);
    fclose(file);
}

static void ranks_speak_as_before_once_a_share_of_their_share_is_done(void **state)
{
    char text[64];
    bool outer, inner;

    (void)state;
    log_setup(LOG_INFO, 3);
    warn(text);
    assert_string_equal(text, "");
    outer = log_speak_for_itself(true); /* the first rank of a group, say */
    inner = log_speak_for_itself(true); /* which writes its share of files */
    log_speak_for_itself(inner);
    warn(text);
    assert_string_equal(text, "etalon: warning: so it is\n");
    log_speak_for_itself(outer);
    warn(text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_speak_as_before_once_a_share_of_their_share_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
