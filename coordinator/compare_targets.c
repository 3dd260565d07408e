/* compare_targets.c — how far thresholds and scales moved, target by target; see compare.h. */
#include "coordinator/compare_private.h"

#include "formats/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int side_targets(const struct compare_side *side, struct arena *arena, const char *const **names, size_t *n,
                 struct error *err)
{
    json_t *reported = json_object_get(side->report, "targets"), *target;
    size_t most = side->report != NULL ? json_object_size(reported) : side->archive.n_targets;
    const char **list = arena_create_array(arena, most + 1, sizeof *list, err), *name;

    if (list == NULL)
        return -1;
    *names = list;
    *n = most;
    for (size_t t = 0; side->report == NULL && t < most; t++)
        list[t] = side->archive.targets[t].name;
    json_object_foreach(reported, name, target) *list++ = name;
    return 0;
}

static const struct archive_target *find_archived(const struct compare_side *side, const char *name)
{
    for (size_t t = 0; t < side->archive.n_targets; t++)
        if (strcmp(side->archive.targets[t].name, name) == 0)
            return &side->archive.targets[t];
    return NULL;
}

/* The reals of the outermost codes; NaN in, NaN out. */
static void set_codes(struct compared_choice *choice, double zero_point, double lo, double hi)
{
    choice->zero_point = zero_point;
    choice->low = (lo - zero_point) * (double)choice->scale;
    choice->high = (hi - zero_point) * (double)choice->scale;
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
                                            {.is_there = true,
                                             .threshold = d->threshold,
                                             .scale = d->scale,
                                             .method = d->method,
                                             .sqnr_db = d->sqnr_db}};
        set_codes(&(*out)[*n].choice, d->zero_point, d->lo, d->hi);
    }
    return 0;
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
        struct compared_choice *choice = &(*out)[*n].choice;

        if (name == NULL || method == NULL || !json_is_number(json_object_get(layer, "threshold")))
            continue;
        (*out)[(*n)++].value = name;
        *choice = (struct compared_choice){.is_there = true,
                                           .threshold = (float)json_number_at(layer, "threshold"),
                                           .scale = (float)json_number_at(layer, "scale"),
                                           .method = method,
                                           .sqnr_db = json_number_at(layer, "sqnr_db")};
        set_codes(choice, json_number_at(layer, "zero_point"), json_number_at(layer, "lo"),
                  json_number_at(layer, "hi"));
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

static int index_decisions(struct name_index *index, const struct side_decision *rows, size_t n, struct arena *arena,
                           struct error *err)
{
    if (name_index_init(index, n, arena, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        index->places[i] = (struct name_place){rows[i].value, i};
    name_index_sort(index);
    return 0;
}

static double relative(double before, double after, double threshold)
{
    if (before == after)
        return 0;
    return threshold > 0 ? fabs(after - before) / threshold : INFINITY;
}

/* With another zero point one end may have moved, and the threshold, which is the other, not. */
static double movement(const struct compared_choice *before, const struct compared_choice *after)
{
    double threshold = (double)before->threshold, moved = relative(threshold, (double)after->threshold, threshold);

    if (before->zero_point == after->zero_point)
        return moved;
    /* fmax lets go what is not known */
    return fmax(moved,
                fmax(relative(before->low, after->low, threshold), relative(before->high, after->high, threshold)));
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
    struct name_index places[COMPARE_SIDES];
    size_t n[COMPARE_SIDES];

    for (int side = BEFORE; side < COMPARE_SIDES; side++)
        if (side_decisions(&c->sides[side], target->name, c->arena, &rows[side], &n[side], err) != 0 ||
            index_decisions(&places[side], rows[side], n[side], c->arena, err) != 0)
            return -1;
    target->decisions = arena_create_array(c->arena, n[BEFORE] + n[AFTER] + 1, sizeof *target->decisions, err);
    if (target->decisions == NULL)
        return -1;
    for (size_t i = 0; i < n[BEFORE]; i++) {
        size_t after = name_index_find(&places[AFTER], rows[BEFORE][i].value);
        struct compared_decision *d = &target->decisions[target->n_decisions++];

        d->value = rows[BEFORE][i].value;
        d->at[BEFORE] = rows[BEFORE][i].choice;
        if (after == n[AFTER])
            continue;
        d->at[AFTER] = rows[AFTER][after].choice;
        d->moved = movement(&d->at[BEFORE], &d->at[AFTER]);
    }
    for (size_t i = 0; i < n[AFTER]; i++)
        if (name_index_find(&places[BEFORE], rows[AFTER][i].value) == n[BEFORE]) {
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

/* Those of BEFORE, then what is new. */
static int list_targets(struct comparison *c, struct error *err)
{
    const char *const *names[COMPARE_SIDES];
    struct name_index places;
    size_t n[COMPARE_SIDES];

    for (int side = BEFORE; side < COMPARE_SIDES; side++)
        if (side_targets(&c->sides[side], c->arena, &names[side], &n[side], err) != 0)
            return -1;
    c->targets = arena_create_array(c->arena, n[BEFORE] + n[AFTER] + 1, sizeof *c->targets, err);
    if (c->targets == NULL || name_index_init(&places, n[BEFORE], c->arena, err) != 0)
        return -1;
    for (; c->n_targets < n[BEFORE]; c->n_targets++) {
        places.places[c->n_targets] = (struct name_place){names[BEFORE][c->n_targets], c->n_targets};
        c->targets[c->n_targets].name = names[BEFORE][c->n_targets];
        c->targets[c->n_targets].is_there[BEFORE] = !has_failed(&c->sides[BEFORE], names[BEFORE][c->n_targets]);
    }
    name_index_sort(&places);
    for (size_t t = 0; t < n[AFTER]; t++) {
        size_t place = name_index_find(&places, names[AFTER][t]);
        struct compared_target *target = &c->targets[place < n[BEFORE] ? place : c->n_targets++];

        target->name = names[AFTER][t];
        target->is_there[AFTER] = !has_failed(&c->sides[AFTER], names[AFTER][t]);
    }
    return 0;
}

int compare_targets(struct comparison *c, struct error *err)
{
    if (list_targets(c, err) != 0)
        return -1;
    for (size_t t = 0; t < c->n_targets; t++)
        if (match_decisions(c, &c->targets[t], err) != 0)
            return -1;
    return 0;
}
