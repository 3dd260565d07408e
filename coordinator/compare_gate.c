/* compare_gate.c — limits, and the worst that is held against them; see compare.h. */
#include "coordinator/compare.h"

#include "common/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void set_worst(struct compare_gate *gate, double found, const char *network, const char *where)
{
    gate->found = found;
    gate->network = network;
    gate->where = where;
}

/* The first is the worst until another is worse. */
static void consider(struct compare_gate *gate, double found, const char *network, const char *where)
{
    if (found > gate->found)
        set_worst(gate, found, network, where);
}

/* Whatever the others are: what nobody can tell may be worse. Only a target that is gone is. */
static void miss(struct compare_gate *gate, const char *network, const char *where)
{
    if (!isnan(gate->found) && !(isinf(gate->found) && gate->found > 0 && gate->where == NULL))
        set_worst(gate, NAN, network, where);
}

/* A target that is gone, or failed, is no better than any that can be looked at. */
static void judge_presence(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t t = 0; t < c->n_targets; t++)
        if (c->targets[t].is_there[BEFORE] && !c->targets[t].is_there[AFTER])
            consider(gate, INFINITY, c->targets[t].name, NULL);
}

static bool is_in_both(const struct compared_target *t)
{
    return t->is_there[BEFORE] && t->is_there[AFTER];
}

/* Every value that both runs compute on a target; a target that has none in common cannot be judged. */
static void judge_decisions(const struct comparison *c, struct compare_gate *gate,
                            void (*judge)(struct compare_gate *gate, const char *target,
                                          const struct compared_decision *d))
{
    for (size_t t = 0; t < c->n_targets; t++) {
        const struct compared_target *target = &c->targets[t];
        size_t n = 0;

        for (size_t i = 0; i < target->n_decisions; i++) {
            const struct compared_decision *d = &target->decisions[i];

            if (!d->at[BEFORE].is_there || !d->at[AFTER].is_there)
                continue;
            judge(gate, target->name, d);
            n++;
        }
        if (n == 0 && target->n_decisions > 0 && is_in_both(target))
            miss(gate, target->name, NULL);
    }
}

static void judge_movement(struct compare_gate *gate, const char *target, const struct compared_decision *d)
{
    consider(gate, d->moved, target, d->value);
}

static void judge_thresholds(const struct comparison *c, struct compare_gate *gate)
{
    judge_decisions(c, gate, judge_movement);
}

/* A value of which neither run tells is as good as it was, and one without noise as good as it can be. */
static void judge_noise(struct compare_gate *gate, const char *target, const struct compared_decision *d)
{
    double before = d->at[BEFORE].sqnr_db, after = d->at[AFTER].sqnr_db;

    if (isnan(before) != isnan(after))
        miss(gate, target, d->value);
    else
        consider(gate, after == INFINITY ? 0 : before - after, target, d->value);
}

static void judge_sqnr(const struct comparison *c, struct compare_gate *gate)
{
    judge_decisions(c, gate, judge_noise);
}

/* A value that is not counted any more may have moved by any distance. */
static void judge_statistics(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t v = 0; v < c->n_values; v++)
        consider(gate, c->values[v].distance, NULL, c->values[v].name);
    if (c->n_lost > 0)
        miss(gate, NULL, c->lost[0]);
}

static const struct compared_metric *find_metric(const struct comparison *c, const struct compared_target *target,
                                                 const char *name)
{
    for (size_t i = target->first_metric; i < target->first_metric + target->n_metrics; i++)
        if (strcmp(c->metrics[i].name, name) == 0)
            return &c->metrics[i];
    return NULL;
}

/* Of targets: what fp32 loses is no fault of integers. One that is not evaluated any more has lost it all. */
static void judge_metric(const struct comparison *c, struct compare_gate *gate)
{
    for (size_t t = 0; t < c->n_targets; t++) {
        const struct compared_metric *m = find_metric(c, &c->targets[t], gate->name);

        if (!is_in_both(&c->targets[t]))
            continue;
        if (m == NULL || isnan(m->at[BEFORE]))
            miss(gate, c->targets[t].name, NULL);
        else
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
    if (gate->found == -INFINITY)
        gate->found = NAN;
    gate->has_failed = !(gate->found <= gate->limit);
}
