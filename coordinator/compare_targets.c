/* compare_targets.c — how far thresholds and scales moved, target by target; see compare.h. */
#include "coordinator/compare_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t side_count_targets(const struct compare_side *side)
{
    return side->report != NULL ? json_object_size(json_object_get(side->report, "targets")) : side->archive.n_targets;
}

const char *side_target(const struct compare_side *side, size_t index)
{
    json_t *targets = json_object_get(side->report, "targets");
    void *at = json_object_iter(targets);

    if (side->report == NULL)
        return side->archive.targets[index].name;
    while (index-- > 0)
        at = json_object_iter_next(targets, at);
    return json_object_iter_key(at);
}

static const struct archive_target *find_archived(const struct compare_side *side, const char *name)
{
    for (size_t t = 0; t < side->archive.n_targets; t++)
        if (strcmp(side->archive.targets[t].name, name) == 0)
            return &side->archive.targets[t];
    return NULL;
}

static int list_archived(const struct archive *archive, const struct archive_target *target, struct arena *arena,
                         struct side_decision **out, size_t *n, struct error *err)
{
    *out = arena_create_array(arena, target->n_decisions + 1, sizeof **out, err);
    if (*out == NULL)
        return -1;
    for (; *n < target->n_decisions; ++*n) {
        const struct archive_decision *d = &target->decisions[*n];

        (*out)[*n] = (struct side_decision){archive->values[d->value].name,
                                            {true, d->threshold, d->scale, d->method, d->sqnr_db}};
    }
    return 0;
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Of values in integers only. */
static int list_reported(const json_t *layers, struct arena *arena, struct side_decision **out, size_t *n,
                         struct error *err)
{
    *out = arena_create_array(arena, json_array_size(layers) + 1, sizeof **out, err);
    if (*out == NULL)
        return -1;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        const char *name = json_string_value(json_object_get(layer, "name"));
        const char *method = json_string_value(json_object_get(layer, "method"));

        if (name != NULL && method != NULL && json_is_number(json_object_get(layer, "threshold")))
            (*out)[(*n)++] =
                (struct side_decision){name,
                                       {true, (float)number_of(layer, "threshold"), (float)number_of(layer, "scale"),
                                        method, number_of(layer, "sqnr_db")}};
    }
    return 0;
}

int side_decisions(const struct compare_side *side, const char *target, struct arena *arena, struct side_decision **out,
                   size_t *n, struct error *err)
{
    const struct archive_target *archived = find_archived(side, target);

    *n = 0;
    if (archived != NULL)
        return list_archived(&side->archive, archived, arena, out, n, err);
    return list_reported(json_object_get(json_object_get(json_object_get(side->report, "targets"), target), "layers"),
                         arena, out, n, err);
}

/* NULL: there is none. */
static const struct side_decision *find_decision(const struct side_decision *rows, size_t n, const char *value,
                                                 size_t expected)
{
    if (expected < n && strcmp(rows[expected].value, value) == 0)
        return &rows[expected];
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].value, value) == 0)
            return &rows[i];
    return NULL;
}

static double movement(float before, float after)
{
    if (before == after)
        return 0;
    return before > 0 ? fabs((double)after - (double)before) / (double)before : INFINITY;
}

static bool is_in_both(const struct compared_decision *d)
{
    return d->at[BEFORE].is_there && d->at[AFTER].is_there;
}

static int by_movement(const void *a, const void *b)
{
    const struct compared_decision *x = a, *y = b;
    int order = is_in_both(y) - is_in_both(x);

    if (order == 0)
        order = compare_descending(x->moved, y->moved);
    return order != 0 ? order : strcmp(x->value, y->value);
}

static int match_decisions(struct comparison *c, struct compared_target *target, struct error *err)
{
    struct side_decision *rows[COMPARE_SIDES];
    size_t n[COMPARE_SIDES];

    for (int side = BEFORE; side < COMPARE_SIDES; side++)
        if (side_decisions(&c->sides[side], target->name, c->arena, &rows[side], &n[side], err) != 0)
            return -1;
    target->decisions = arena_create_array(c->arena, n[BEFORE] + n[AFTER] + 1, sizeof *target->decisions, err);
    if (target->decisions == NULL)
        return -1;
    for (size_t i = 0; i < n[BEFORE]; i++) {
        const struct side_decision *after = find_decision(rows[AFTER], n[AFTER], rows[BEFORE][i].value, i);
        struct compared_decision *d = &target->decisions[target->n_decisions++];

        d->value = rows[BEFORE][i].value;
        d->at[BEFORE] = rows[BEFORE][i].choice;
        if (after == NULL)
            continue;
        d->at[AFTER] = after->choice;
        d->moved = movement(d->at[BEFORE].threshold, d->at[AFTER].threshold);
    }
    for (size_t i = 0; i < n[AFTER]; i++)
        if (find_decision(rows[BEFORE], n[BEFORE], rows[AFTER][i].value, i) == NULL) {
            struct compared_decision *d = &target->decisions[target->n_decisions++];

            d->value = rows[AFTER][i].value;
            d->at[AFTER] = rows[AFTER][i].choice;
        }
    qsort(target->decisions, target->n_decisions, sizeof *target->decisions, by_movement);
    return 0;
}

/* A report tells; of a target that failed an archive keeps no more than the name. */
static bool has_failed(const struct compare_side *side, const char *target)
{
    if (side->report == NULL)
        return find_archived(side, target)->n_decisions == 0;
    return json_object_get(json_object_get(json_object_get(side->report, "targets"), target), "error") != NULL;
}

static struct compared_target *find_target(struct comparison *c, const char *name)
{
    for (size_t t = 0; t < c->n_targets; t++)
        if (strcmp(c->targets[t].name, name) == 0)
            return &c->targets[t];
    c->targets[c->n_targets].name = name;
    return &c->targets[c->n_targets++];
}

int compare_targets(struct comparison *c, struct error *err)
{
    size_t most = side_count_targets(&c->sides[BEFORE]) + side_count_targets(&c->sides[AFTER]);

    c->targets = arena_create_array(c->arena, most + 1, sizeof *c->targets, err);
    if (c->targets == NULL)
        return -1;
    for (int side = BEFORE; side < COMPARE_SIDES; side++)
        for (size_t t = 0; t < side_count_targets(&c->sides[side]); t++) {
            const char *name = side_target(&c->sides[side], t);

            find_target(c, name)->is_there[side] = !has_failed(&c->sides[side], name);
        }
    for (size_t t = 0; t < c->n_targets; t++)
        if (match_decisions(c, &c->targets[t], err) != 0)
            return -1;
    return 0;
}
