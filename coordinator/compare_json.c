/* compare_json.c — a comparison for programs; see compare.h and the verb's page in the manual. */
#include "coordinator/compare.h"

#include "formats/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* JSON has neither NaN nor infinities. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_text(text);
}

/* {"before": ..., "after": ...}, both taken. */
static json_t *pair(json_t *before, json_t *after)
{
    return json_pack("{s:o, s:o}", "before", before, "after", after);
}

static json_t *names(const char *const *list, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_append(&array, json_text(list[i]));
    return array;
}

static json_t *moments(const struct compared_value *value, int side)
{
    return json_pack("{s:I, s:o, s:o, s:o}", "elements", (json_int_t)value->at[side].elements, "min",
                     number((double)value->at[side].min), "max", number((double)value->at[side].max), "zeros",
                     number(value->at[side].zeros));
}

static json_t *statistics(const struct comparison *c)
{
    json_t *array = json_array();

    for (size_t v = 0; v < c->n_values; v++)
        json_append(&array, json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(c->values[v].name), "distance",
                                      number(c->values[v].distance), "before", moments(&c->values[v], BEFORE), "after",
                                      moments(&c->values[v], AFTER)));
    return array;
}

static json_t *choice(const struct compared_choice *choice)
{
    if (!choice->is_there)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "threshold", number((double)choice->threshold), "scale",
                     number((double)choice->scale), "zero_point", number(choice->zero_point), "method",
                     json_text(choice->method), "sqnr_db", number(choice->sqnr_db));
}

static json_t *decisions(const struct compared_target *t)
{
    json_t *array = json_array();

    for (size_t i = 0; i < t->n_decisions; i++) {
        const struct compared_decision *d = &t->decisions[i];
        bool is_in_both = d->at[BEFORE].is_there && d->at[AFTER].is_there;

        json_append(&array, json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(d->value), "moved",
                                      is_in_both ? number(d->moved) : json_null(), "before", choice(&d->at[BEFORE]),
                                      "after", choice(&d->at[AFTER])));
    }
    return array;
}

static json_t *targets(const struct comparison *c)
{
    json_t *object = json_object();

    for (size_t t = 0; t < c->n_targets; t++)
        json_put(&object, c->targets[t].name,
                 json_pack("{s:b, s:b, s:o}", "is_in_before", c->targets[t].is_there[BEFORE], "is_in_after",
                           c->targets[t].is_there[AFTER], "values", decisions(&c->targets[t])));
    return object;
}

static json_t *metrics(const struct comparison *c)
{
    json_t *array = json_array();

    for (size_t i = 0; i < c->n_metrics; i++)
        json_append(&array, json_pack("{s:o, s:o, s:o, s:o}", "network", json_text(c->metrics[i].network), "name",
                                      json_text(c->metrics[i].name), "before", number(c->metrics[i].at[BEFORE]),
                                      "after", number(c->metrics[i].at[AFTER])));
    return array;
}

static json_t *gates_list(const struct compare_gate *gates, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_append(&array,
                    json_pack("{s:s, s:o, s:o, s:o, s:o, s:b}", "name", gates[i].name, "limit", number(gates[i].limit),
                              "found", number(gates[i].found), "target", text_or_null(gates[i].network), "value",
                              text_or_null(gates[i].where), "has_failed", gates[i].has_failed));
    return array;
}

static json_t *side(const struct compare_side *s)
{
    const struct archive *a = &s->archive;

    if (!s->has_archive)
        return json_pack("{s:o}", "name", json_text(s->name));
    return json_pack("{s:o, s:s, s:s, s:s, s:I}", "name", json_text(s->name), "model_fingerprint", a->model_fingerprint,
                     "measurement_fingerprint", a->measurement_fingerprint, "statistics_fingerprint",
                     a->statistics_fingerprint, "records_used", (json_int_t)a->records_used);
}

char *compare_json(const struct comparison *c, const struct compare_gate *gates, size_t n_gates, struct error *err)
{
    json_t *root = pair(side(&c->sides[BEFORE]), side(&c->sides[AFTER]));
    char *text;

    json_put(&root, "metrics", metrics(c));
    json_put(&root, "statistics", statistics(c));
    json_put(&root, "values_lost", names(c->lost, c->n_lost));
    json_put(&root, "values_new", names(c->added, c->n_new));
    json_put(&root, "targets", targets(c));
    json_put(&root, "gates", gates_list(gates, n_gates));
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (text == NULL)
        error_set(err, EX_OSERR, "no memory for a comparison");
    return text;
}
