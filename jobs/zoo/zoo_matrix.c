/* zoo_matrix.c — see zoo_matrix.h. */
#include "jobs/zoo/zoo_matrix.h"

#include "jobs/job.h"

#include <string.h>

/* "[tnn]" -> "tnn", for names. */
static const char *name_of(struct schema *r, const struct yaml *value)
{
    const char *text = value->kind == YAML_SCALAR ? value->text : yaml_print(value, r->arena, r->err);
    char *copy = text == NULL ? NULL : arena_copy_string(r->arena, text, r->err), *to = copy;

    if (copy == NULL)
        return NULL;
    for (const char *c = copy; *c != '\0'; c++)
        if (strchr("[]{}\" ", *c) == NULL)
            *to++ = (char)(*c == ',' || *c == '/' ? '+' : *c);
    *to = '\0';
    return copy;
}

static int read_axis(struct schema *r, const struct yaml *key, const struct yaml *list, struct zoo_axis *axis)
{
    if (list->kind != YAML_LIST || list->n == 0)
        return schema_wrong(r, list, "a list of values");
    *axis = (struct zoo_axis){.key = key, .n = list->n};
    axis->values = arena_create_array(r->arena, list->n, sizeof *axis->values, r->err);
    for (size_t i = 0; axis->values != NULL && i < list->n; i++) {
        struct zoo_value *value = &axis->values[i];

        *value = (struct zoo_value){.node = list->items[i]};
        value->set = schema_set(r, key->text, list->items[i]);
        value->name = name_of(r, list->items[i]);
        if (value->set == NULL || value->name == NULL)
            return -1;
    }
    return axis->values == NULL ? -1 : 0;
}

int zoo_matrix_read(struct schema *r, const struct yaml *node, struct zoo_matrix *matrix)
{
    *matrix = (struct zoo_matrix){0};
    if (node == NULL)
        return 0;
    if (node->n > ZOO_MAX_AXES)
        return schema_wrong(r, node, "at most 8 keys");
    for (; matrix->n_axes < node->n; matrix->n_axes++)
        if (read_axis(r, node->keys[matrix->n_axes], node->items[matrix->n_axes], &matrix->axes[matrix->n_axes]) != 0)
            return -1;
    return 0;
}

static bool can_be_read(const char *file, const struct yaml *defaults, const char *const *sets, size_t n_sets,
                        struct error *why)
{
    struct job *job = job_read_with(file, defaults, sets, n_sets, why);

    job_destroy(job);
    return job != NULL;
}

/* No job can be read at this place: which of its values cannot stand alone, where the job can without any? */
static int find_culprits(struct schema *r, struct zoo_matrix *matrix, const size_t *place, const struct zoo_job *job,
                         size_t first, const struct yaml *defaults, const char *text)
{
    size_t n = job->n_sets - matrix->n_axes;
    const char **sets = arena_create_array(r->arena, n + 1, sizeof *sets, r->err);
    struct error why = {0};

    if (sets == NULL)
        return -1;
    memcpy(sets, job->sets, first * sizeof *sets);
    memcpy(sets + first, job->sets + first + matrix->n_axes, (n - first) * sizeof *sets);
    if (!can_be_read(job->file, defaults, sets, n, &why))
        return 0; /* it will fail alone */
    memmove(sets + first + 1, sets + first, (n - first) * sizeof *sets);
    for (size_t a = 0; a < matrix->n_axes; a++) {
        struct zoo_value *value = &matrix->axes[a].values[place[a]];

        if (value->is_good || value->why != NULL)
            continue;
        sets[first] = value->set;
        value->is_good = can_be_read(job->file, defaults, sets, n + 1, &why);
        if (!value->is_good && (value->why = arena_copy_string(r->arena, text, r->err)) == NULL)
            return -1;
    }
    return 0;
}

int zoo_matrix_try(struct schema *r, struct zoo_matrix *matrix, const size_t *place, const struct zoo_job *job,
                   size_t first, const struct yaml *defaults)
{
    struct error why = {0};
    bool are_good = true;

    for (size_t a = 0; a < matrix->n_axes; a++)
        are_good = are_good && matrix->axes[a].values[place[a]].is_good;
    if (are_good)
        return 0;
    if (!can_be_read(job->file, defaults, job->sets, job->n_sets, &why))
        return find_culprits(r, matrix, place, job, first, defaults, why.text);
    for (size_t a = 0; a < matrix->n_axes; a++)
        matrix->axes[a].values[place[a]].is_good = true;
    return 0;
}

/* Where the key is wrong, no value does. */
int zoo_matrix_check(const struct schema *r, const struct zoo_matrix *matrix)
{
    char where[64];

    for (size_t a = 0; a < matrix->n_axes; a++) {
        const struct zoo_axis *axis = &matrix->axes[a];
        const struct zoo_value *first = NULL;
        size_t n_bad = 0;

        for (size_t v = 0; v < axis->n; v++)
            if (!axis->values[v].is_good && axis->values[v].why != NULL) {
                first = first == NULL ? &axis->values[v] : first;
                n_bad++;
            }
        if (n_bad > 0)
            return error_set(r->err, EX_CONFIG, "%s: matrix: no job can be read with %s: %s",
                             yaml_where(n_bad == axis->n ? axis->key : first->node, where), first->set, first->why);
    }
    return 0;
}
