/* compare_gate.c — limits, and the worst that is held against them; see compare.h. */
#include "coordinator/compare.h"

#include "common/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first is the worst until another is worse; NaN says nothing. */
static void consider(struct compare_gate *gate, double found, const char *network, const char *where)
{
    if (isnan(found) || found <= gate->found)
        return;
    gate->found = found;
    gate->network = network;
    gate->where = where;
}

/* A target that is gone, or failed, is no better than any that can be looked at. */
static void judge_presence(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t t = 0; t < c->n_targets; t++)
        if (c->targets[t].is_there[BEFORE] && !c->targets[t].is_there[AFTER])
            consider(gate, INFINITY, c->targets[t].name, NULL);
}

static void judge_thresholds(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t t = 0; t < c->n_targets; t++)
        for (size_t i = 0; i < c->targets[t].n_decisions; i++) {
            const struct compared_decision *d = &c->targets[t].decisions[i];

            if (d->at[BEFORE].is_there && d->at[AFTER].is_there)
                consider(gate, d->moved, c->targets[t].name, d->value);
        }
}

static void judge_statistics(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t v = 0; v < c->n_values; v++)
        consider(gate, c->values[v].distance, NULL, c->values[v].name);
}

static void judge_sqnr(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t t = 0; t < c->n_targets; t++)
        for (size_t i = 0; i < c->targets[t].n_decisions; i++) {
            const struct compared_decision *d = &c->targets[t].decisions[i];

            if (d->at[BEFORE].is_there && d->at[AFTER].is_there)
                consider(gate, d->at[BEFORE].sqnr_db - d->at[AFTER].sqnr_db, c->targets[t].name, d->value);
        }
}

/* Of targets: what fp32 loses is no fault of integers. One that is not evaluated any more has lost it all. */
static void judge_metric(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct compared_metric *m = &c->metrics[i];

        if (strcmp(m->name, gate->name) != 0 || strcmp(m->network, "fp32") == 0)
            continue;
        consider(gate, isnan(m->at[AFTER]) ? m->at[BEFORE] : m->at[BEFORE] - m->at[AFTER], m->network, NULL);
    }
}

static const struct kind {
    const char *name;
    bool is_of_targets;
    void (*judge)(const struct comparison *c, struct compare_gate *gate);
} kinds[] = {
    {"threshold", true, judge_thresholds},
    {"statistics", false, judge_statistics},
    {"sqnr", true, judge_sqnr},
    {"agreement", true, judge_metric},
    {"top1", true, judge_metric},
};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* Any top-k is as good as top1. */
static const struct kind *find_kind(const char *name, size_t length)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, name, length) == 0)
            return &kinds[i];
    return length > 3 && strncmp(name, "top", 3) == 0 && strspn(name + 3, "0123456789") == length - 3
               ? &kinds[N_KINDS - 1]
               : NULL;
}

int compare_gate_read(const char *text, struct compare_gate *gate, struct error *err)
{
    const char *equals = strchr(text, '=');
    size_t length = equals == NULL ? strlen(text) : (size_t)(equals - text);
    char *end = NULL;

    *gate = (struct compare_gate){0};
    if (length >= sizeof gate->name || find_kind(text, length) == NULL)
        return error_set(
            err, EX_USAGE,
            "gate \"%s\": expected NAME=LIMIT with threshold, statistics, sqnr, agreement, top1 or another "
            "top-k; the nearest is \"%s\"",
            text, suggest_nearest(text, &kinds[0].name, N_KINDS, sizeof *kinds));
    memcpy(gate->name, text, length);
    if (equals != NULL)
        gate->limit = strtod(equals + 1, &end);
    if (end == NULL || end == equals + 1 || *end != '\0' || !isfinite(gate->limit) || gate->limit < 0)
        return error_set(err, EX_USAGE, "gate \"%s\": expected a limit, a number of 0 or more", text);
    return 0;
}

void compare_gate_judge(const struct comparison *comparison, struct compare_gate *gate)
{
    const struct kind *kind = find_kind(gate->name, strlen(gate->name));

    gate->found = -INFINITY;
    if (kind->is_of_targets)
        judge_presence(comparison, gate);
    kind->judge(comparison, gate);
    if (isinf(gate->found) && gate->found < 0)
        gate->found = NAN;
    gate->has_failed = !(gate->found <= gate->limit);
}
