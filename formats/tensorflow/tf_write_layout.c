/* tf_write_layout.c — the two orders of axes that a value may have in the file; see tf_write.h. */
#include "formats/tensorflow/tf_write.h"

#include <string.h>

enum { LINE = 3, IMAGE = 4 };

/* Where axis i of one form is in the other one. */
static const int64_t to_last[][IMAGE] = {[LINE] = {0, 2, 1}, [IMAGE] = {0, 2, 3, 1}};
static const int64_t to_plain[][IMAGE] = {[LINE] = {0, 2, 1}, [IMAGE] = {0, 3, 1, 2}};

bool tf_has_channels_last(size_t rank)
{
    return rank == LINE || rank == IMAGE;
}

size_t tf_file_axis(const struct tf_writer *w, size_t rank, size_t axis)
{
    return w->is_last && tf_has_channels_last(rank) ? (size_t)to_plain[rank][axis] : axis;
}

struct shape tf_file_shape(const struct tf_writer *w, const struct shape *shape)
{
    struct shape file = *shape;

    for (size_t i = 0; i < shape->rank; i++)
        file.dims[tf_file_axis(w, shape->rank, i)] = shape->dims[i];
    return file;
}

/* A constant in the form asked for, as if it had the shape `s`. */
static const char *put_constant(struct tf_writer *w, int value, const struct shape *s, bool is_last)
{
    const float *data = w->graph->values[value].data;
    size_t channels = s->rank > 1 ? (size_t)s->dims[1] : 1, batch = s->rank > 0 ? (size_t)s->dims[0] : 1, plane = 1;
    struct shape file = *s;
    float *turned;

    if (!is_last || !tf_has_channels_last(s->rank))
        return tf_const_value(w, value, s, data);
    turned = w->err.code != 0 ? NULL : arena_create_array(w->arena, (size_t)shape_elements(s), sizeof *turned, &w->err);
    for (size_t i = 0; i < s->rank; i++) {
        file.dims[i] = s->dims[to_last[s->rank][i]];
        plane *= i > 1 ? (size_t)s->dims[i] : 1;
    }
    for (size_t n = 0; turned != NULL && n < batch; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < plane; p++)
                turned[(n * plane + p) * channels + c] = data[(n * channels + c) * plane + p];
    return turned == NULL ? "" : tf_const_value(w, value, &file, turned);
}

/* One form from the other. */
static const char *transpose(struct tf_writer *w, int value, const char *x, const int64_t *perm)
{
    const struct value *v = &w->graph->values[value];

    return tf_step_ints(w, "Transpose", v->name, x, perm, v->shape.rank, "Tperm");
}

static const char *form(struct tf_writer *w, int value, bool is_last)
{
    const struct value *v = &w->graph->values[value];
    bool has_both = tf_has_channels_last(v->shape.rank);
    struct tf_forms *forms = &w->forms[value];
    const char **wanted = is_last && has_both ? &forms->last : &forms->plain;

    if (w->err.code != 0)
        return "";
    if (v->dtype != DTYPE_FLOAT32)
        tf_cannot(w, "\"%s\" is not of float32", v->name);
    else if (*wanted == NULL && v->is_constant)
        *wanted = put_constant(w, value, &v->shape, is_last);
    else if (*wanted == NULL && has_both)
        *wanted = is_last ? transpose(w, value, forms->plain, to_last[v->shape.rank])
                          : transpose(w, value, forms->last, to_plain[v->shape.rank]);
    return *wanted == NULL ? "" : *wanted;
}

const char *tf_value(struct tf_writer *w, int value)
{
    return form(w, value, w->is_last);
}

const char *tf_plain(struct tf_writer *w, int value)
{
    return form(w, value, false);
}

const char *tf_last(struct tf_writer *w, int value)
{
    return form(w, value, true);
}

const char *tf_operand(struct tf_writer *w, int value, size_t rank)
{
    const struct value *v = &w->graph->values[value];
    struct shape wide = {.rank = rank};
    const char *reshaped;

    if (!w->is_last || !tf_has_channels_last(rank) || v->shape.rank == rank || v->shape.rank == 0)
        return tf_value(w, value);
    for (size_t i = 0; i < rank; i++)
        wide.dims[i] = i + v->shape.rank < rank ? 1 : v->shape.dims[i + v->shape.rank - rank];
    if (v->is_constant)
        return put_constant(w, value, &wide, true);
    reshaped = tf_step_ints(w, "Reshape", v->name, tf_plain(w, value), wide.dims, rank, "Tshape");
    return tf_step_ints(w, "Transpose", v->name, reshaped, to_last[rank], rank, "Tperm");
}

void tf_image_size(const struct shape *shape, int64_t size[2])
{
    size[0] = shape->rank == IMAGE ? shape->dims[2] : 1;
    size[1] = shape->dims[shape->rank - 1];
}

const char *tf_as_image(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *s = &w->graph->values[node->inputs[0]].shape;
    const char *x, *y;

    if (!tf_has_channels_last(s->rank)) {
        tf_cannot(w, "windows over other than one or two axes have no form in the exporter");
        return "";
    }
    w->is_last = true;
    x = tf_last(w, node->inputs[0]);
    if (s->rank == IMAGE)
        return x;
    y = tf_step(w, "ExpandDims", base, TF_INPUTS(x, tf_const_index(w, base, 1)));
    tf_put_type(w, "Tdim", TF_INT32);
    return y;
}

const char *tf_from_image(struct tf_writer *w, const struct node *node, const char *image, const char *base)
{
    const char *y;

    if (w->graph->values[node->outputs[0]].shape.rank == IMAGE)
        return image;
    y = tf_step(w, "Squeeze", base, TF_INPUTS(image));
    tf_put_ints(w, "squeeze_dims", (const int64_t[]){1}, 1);
    return y;
}
