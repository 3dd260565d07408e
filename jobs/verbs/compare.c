/* compare.c — `etalon compare`: two runs side by side, and limits for what may have moved. */
#include "coordinator/compare.h"
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_GATE = 1, DEFAULT_ROWS = 10 };

struct compare_words {
    const char *sides[COMPARE_SIDES], *fail_above, *rows;
    struct option_list gates;
    bool as_json;
};

/* --fail-above X is --gate threshold=X. */
static int read_gates(const struct compare_words *q, struct compare_gate *gates, size_t *n, struct error *err)
{
    char text[96];

    *n = 0;
    for (size_t i = 0; i < q->gates.n; i++)
        if (compare_gate_read(q->gates.items[i], &gates[(*n)++], err) != 0)
            return -1;
    if (q->fail_above == NULL)
        return 0;
    if (snprintf(text, sizeof text, "threshold=%s", q->fail_above) >= (int)sizeof text)
        return error_set(err, EX_USAGE, "--fail-above: expected a number, found \"%.32s...\"", q->fail_above);
    return compare_gate_read(text, &gates[(*n)++], err);
}

static int print(const struct comparison *c, const struct compare_gate *gates, size_t n, size_t rows, bool as_json,
                 struct error *err)
{
    char *text;

    if (!as_json) {
        compare_print(c, gates, n, rows, stdout);
        return 0;
    }
    text = compare_json(c, gates, n, err);
    if (text == NULL)
        return -1;
    printf("%s\n", text);
    free(text);
    return 0;
}

static int verdict(const struct compare_gate *gates, size_t n, struct error *err)
{
    size_t failed = 0, first = 0;

    for (size_t i = n; i-- > 0;)
        if (gates[i].has_failed) {
            failed++;
            first = i;
        }
    if (failed == 0)
        return 0;
    return error_set(err, EXIT_GATE, "%zu of %zu gates failed, %s first", failed, n, gates[first].name);
}

static int compare_words(const struct compare_words *q, struct error *err)
{
    struct compare_side sides[COMPARE_SIDES] = {{0}};
    struct compare_gate gates[OPTION_LIST_MAX + 1];
    struct comparison *c = NULL;
    uint64_t rows = DEFAULT_ROWS;
    size_t n = 0;
    int rc = read_gates(q, gates, &n, err);

    if (rc == 0)
        rc = dataset_number("rows", q->rows, &rows, err);
    for (int side = BEFORE; rc == 0 && side < COMPARE_SIDES; side++)
        rc = compare_side_read(q->sides[side], &sides[side], err);
    if (rc == 0 && (c = compare(sides, err)) == NULL)
        rc = -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        compare_gate_judge(c, &gates[i]);
    if (rc == 0)
        rc = print(c, gates, n, (size_t)rows, q->as_json, err);
    if (rc == 0)
        rc = verdict(gates, n, err);
    comparison_destroy(c);
    for (int side = BEFORE; side < COMPARE_SIDES; side++)
        compare_side_fini(&sides[side]);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct compare_words q = {0};
    bool wants_help = false;
    size_t n_words;
    const struct option options[] = {
        {"fail-above", 0, OPTION_TEXT, &q.fail_above, "X", "exit with 1 if a threshold moved by more, e.g. 0.05"},
        {"gate", 0, OPTION_LIST, &q.gates, "NAME=LIMIT",
         "exit with 1 above this: threshold, statistics, sqnr, agreement, top1 ..."},
        {"rows", 0, OPTION_TEXT, &q.rows, "N", "of every table (default 10; 0: all)"},
        {"json", 0, OPTION_FLAG, &q.as_json, NULL, "everything, as JSON"},
        {0},
    };

    if (options_read(argc, argv, options, q.sides, COMPARE_SIDES, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "compare BEFORE AFTER [options]",
                         "Two runs side by side, largest movement first: accuracies, distributions of activations,\n"
                         "thresholds and scales of every target. Each is an archive, a report.json, or a folder of\n"
                         "results with both.\n\n"
                         "Example: etalon compare accepted/resnet20 out/resnet20 --fail-above 0.05 --gate top1=0.5\n",
                         options);
    if (n_words != COMPARE_SIDES)
        return error_set(err, EX_USAGE, "compare needs two archives, reports or folders of results");
    return compare_words(&q, err);
}

const struct verb verb_compare = {"compare", "two runs side by side, with limits", false, run};
