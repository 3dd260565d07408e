/* compare.c — see compare.h: accuracies, and all the rest together. */
#include "coordinator/compare.h"

#include "coordinator/compare_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int compare_descending(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (b > a) - (b < a);
}

/* What accuracy is told in; not the standard errors of it. */
static bool is_metric(const char *name)
{
    return (strncmp(name, "top", 3) == 0 && strstr(name, "_standard_error") == NULL) ||
           strcmp(name, "agreement") == 0 || strcmp(name, "sqnr_db") == 0;
}

static const json_t *find_network(const struct compare_side *side, const char *network)
{
    const json_t *root = strcmp(network, "fp32") == 0 ? side->report : json_object_get(side->report, "targets");

    return json_object_get(root, network);
}

static size_t count_keys(const struct comparison *c, const char *network)
{
    return json_object_size(find_network(&c->sides[BEFORE], network)) +
           json_object_size(find_network(&c->sides[AFTER], network));
}

/* Metrics that either report has of a network. */
static void add_metrics(struct comparison *c, const char *network)
{
    for (int side = BEFORE; side < COMPARE_SIDES; side++) {
        const char *name;
        json_t *value;

        json_object_foreach((json_t *)find_network(&c->sides[side], network), name, value)
        {
            struct compared_metric *metric = &c->metrics[c->n_metrics];

            if (!is_metric(name) ||
                (side == AFTER && json_object_get(find_network(&c->sides[BEFORE], network), name) != NULL))
                continue;
            *metric = (struct compared_metric){network, name, {NAN, NAN}};
            for (int i = BEFORE; i < COMPARE_SIDES; i++) {
                const json_t *found = json_object_get(find_network(&c->sides[i], network), name);

                if (json_is_number(found))
                    metric->at[i] = json_number_value(found);
            }
            c->n_metrics++;
        }
    }
}

static int compare_metrics(struct comparison *c, struct error *err)
{
    size_t most = count_keys(c, "fp32");

    for (size_t t = 0; t < c->n_targets; t++)
        most += count_keys(c, c->targets[t].name);
    c->metrics = arena_create_array(c->arena, most + 1, sizeof *c->metrics, err);
    if (c->metrics == NULL)
        return -1;
    add_metrics(c, "fp32");
    for (size_t t = 0; t < c->n_targets; t++) {
        c->targets[t].first_metric = c->n_metrics;
        add_metrics(c, c->targets[t].name);
        c->targets[t].n_metrics = c->n_metrics - c->targets[t].first_metric;
    }
    return 0;
}

struct comparison *compare(const struct compare_side sides[COMPARE_SIDES], struct error *err)
{
    struct arena *arena = arena_create(err);
    struct comparison *c = arena == NULL ? NULL : arena_create_array(arena, 1, sizeof *c, err);

    if (c == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    c->arena = arena;
    c->sides = sides;
    c->has_statistics = sides[BEFORE].has_archive && sides[AFTER].has_archive;
    if ((!c->has_statistics || compare_statistics(c, err) == 0) && compare_targets(c, err) == 0 &&
        compare_metrics(c, err) == 0)
        return c;
    arena_destroy(arena);
    return NULL;
}

void comparison_destroy(struct comparison *comparison)
{
    if (comparison != NULL)
        arena_destroy(comparison->arena); /* it lives in it */
}
