/* show_checkpoint.c — see show_checkpoint.h. */
#include "jobs/show_checkpoint.h"

#include "common/printable.h"
#include "formats/json_text.h"

static void print(const struct torch_state *state, FILE *out)
{
    char name[40 + PRINTABLE_MARGIN - 1], shape[SHAPE_TEXT_BYTES];

    fprintf(out, "PyTorch checkpoint: %zu tensors\n%-40s %-10s %s\n", state->n, "name", "type", "shape");
    for (size_t i = 0; i < state->n; i++) {
        const struct tensor *tensor = &state->tensors[i].tensor;

        fprintf(out, "%-40s %-10s %s\n", printable_copy(name, sizeof name, state->tensors[i].name),
                dtype_name(tensor->dtype), shape_text(&tensor->shape, shape));
    }
}

static json_t *tensors(const struct torch_state *state)
{
    json_t *list = json_array();

    for (size_t i = 0; i < state->n; i++) {
        const struct tensor *tensor = &state->tensors[i].tensor;
        json_t *shape = json_array();

        for (size_t k = 0; k < tensor->shape.rank; k++)
            json_append(&shape, json_integer(tensor->shape.dims[k]));
        json_append(&list, json_pack("{s:o, s:s, s:o}", "name", json_text(state->tensors[i].name), "type",
                                     dtype_name(tensor->dtype), "shape", shape));
    }
    return list;
}

int show_checkpoint(const struct torch_state *state, bool as_json, FILE *out, struct error *err)
{
    if (as_json)
        return json_print(json_pack("{s:s, s:o}", "kind", "checkpoint", "tensors", tensors(state)), out, err);
    print(state, out);
    return 0;
}
