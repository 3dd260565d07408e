/* keep_extras.c — see keep_extras.h. */
#include "coordinator/keep_extras.h"

#include <string.h>

_Static_assert(sizeof(struct archive_extrema) == sizeof(struct record_extrema), "the same words, in the same order");
_Static_assert(sizeof(struct top_two) == 2 * sizeof(struct histogram), "second and gap, one after the other");

void keep_lend_extras(const struct observation *o, size_t v, struct archive_value *to)
{
    struct extras *extras = o->extras;

    if (extras == NULL)
        return;
    if (extras->extrema != NULL)
        memcpy(&to->extrema, &extras->extrema[v], sizeof to->extrema);
    if (extras->top_two != NULL && extras->top_two[v].second.bins > 0) {
        to->n_top_two = 2;
        to->top_two = &extras->top_two[v].second;
    }
    to->n_squares = extras_n_squares(extras, (int)v);
    to->squares = to->n_squares > 0 ? extras->squares[v] : NULL;
}

static int take_value(struct extras *extras, size_t v, const struct archive_value *from, struct error *err)
{
    struct top_two *top = extras->top_two == NULL ? NULL : &extras->top_two[v];
    size_t n_top_two = top != NULL && top->second.bins > 0 ? 2 : 0, n_squares = extras_n_squares(extras, (int)v);

    if (from->n_top_two != n_top_two || from->n_squares != n_squares ||
        (n_top_two > 0 && from->top_two[0].bins != top->second.bins))
        return error_set(err, EX_DATAERR, "value \"%s\": its extras are of another network",
                         extras->graph->values[v].name);
    if (extras->extrema != NULL)
        memcpy(&extras->extrema[v], &from->extrema, sizeof from->extrema);
    if (n_squares > 0)
        memcpy(extras->squares[v], from->squares, n_squares * sizeof *from->squares);
    if (n_top_two > 0 && (histogram_merge(&top->second, &from->top_two[0], err) != 0 ||
                          histogram_merge(&top->gap, &from->top_two[1], err) != 0))
        return -1;
    return 0;
}

int keep_take_extras(struct observation *o, const struct archive *archive, struct error *err)
{
    size_t row = 0;

    if (archive->extras == 0)
        return 0;
    if (archive->extras >> EXTRAS_KINDS != 0)
        return error_set(err, EX_DATAERR, "extras of kinds that this program does not know: %u", archive->extras);
    if (observation_collect(o, archive->extras, err) != 0)
        return -1;
    for (size_t v = 0; v < o->graph->n_values; v++)
        if (o->tensor[v].bins > 0 && take_value(o->extras, v, &archive->values[row++], err) != 0)
            return -1;
    return 0;
}
