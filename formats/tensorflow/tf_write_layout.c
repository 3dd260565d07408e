/* tf_write_layout.c — from the graph's order of axes to the file's, and back; see tf_write.h. */
#include "formats/tensorflow/tf_write.h"

#include <string.h>

enum { IMAGE = 4 };

static const int64_t to_last[IMAGE] = {0, 2, 3, 1}, to_first[IMAGE] = {0, 3, 1, 2};

size_t tf_file_axis(size_t rank, size_t axis)
{
    return rank == IMAGE ? (size_t)to_first[axis] : axis;
}

struct shape tf_file_shape(const struct shape *shape)
{
    struct shape file = *shape;

    for (size_t i = 0; shape->rank == IMAGE && i < IMAGE; i++)
        file.dims[i] = shape->dims[to_last[i]];
    return file;
}

static const char *transpose(struct tf_writer *w, const char *x, const int64_t *perm, const char *base)
{
    const char *order = tf_const_ints(w, base, perm, IMAGE), *y = tf_step(w, "Transpose", base, TF_INPUTS(x, order));

    tf_put_type(w, "Tperm", TF_INT32);
    return y;
}

/* A constant of four axes with its channels last. */
static const char *put_image(struct tf_writer *w, const char *base, const struct shape *s, const float *data)
{
    struct shape file = tf_file_shape(s);
    size_t plane = (size_t)(s->dims[2] * s->dims[3]), channels = (size_t)s->dims[1];
    float *turned =
        w->err.code != 0 ? NULL : arena_create_array(w->arena, (size_t)shape_elements(s), sizeof *turned, &w->err);

    if (turned == NULL)
        return "";
    for (size_t n = 0; n < (size_t)s->dims[0]; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < plane; p++)
                turned[(n * plane + p) * channels + c] = data[(n * channels + c) * plane + p];
    return tf_const_floats(w, base, &file, turned);
}

static const char *put_constant(struct tf_writer *w, const char *base, const struct shape *s, const void *data)
{
    return s->rank == IMAGE ? put_image(w, base, s, data) : tf_const_floats(w, base, s, data);
}

const char *tf_value(struct tf_writer *w, int value)
{
    const struct value *v = &w->graph->values[value];

    if (v->dtype != DTYPE_FLOAT32)
        tf_cannot(w, "\"%s\" is not of float32", v->name);
    else if (w->value[value] == NULL && v->is_constant)
        w->value[value] = put_constant(w, v->name, &v->shape, v->data);
    return w->value[value] == NULL ? "" : w->value[value];
}

const char *tf_plain(struct tf_writer *w, int value)
{
    const struct value *v = &w->graph->values[value];

    if (v->is_constant)
        return tf_const_floats(w, v->name, &v->shape, v->data);
    return v->shape.rank == IMAGE ? transpose(w, tf_value(w, value), to_first, v->name) : tf_value(w, value);
}

const char *tf_to_file(struct tf_writer *w, const char *plain, size_t rank, const char *base)
{
    return rank == IMAGE ? transpose(w, plain, to_last, base) : plain;
}

const char *tf_operand(struct tf_writer *w, int value, size_t rank)
{
    const struct value *v = &w->graph->values[value];
    struct shape wide = v->shape;
    const char *reshaped;

    if (rank != IMAGE || v->shape.rank == IMAGE || v->shape.rank == 0)
        return tf_value(w, value);
    wide.rank = IMAGE;
    for (size_t i = 0; i < IMAGE; i++)
        wide.dims[i] = i + v->shape.rank < IMAGE ? 1 : v->shape.dims[i + v->shape.rank - IMAGE];
    if (v->is_constant)
        return put_image(w, v->name, &wide, v->data);
    reshaped = tf_const_ints(w, v->name, wide.dims, IMAGE);
    reshaped = tf_step(w, "Reshape", v->name, TF_INPUTS(tf_value(w, value), reshaped));
    tf_put_type(w, "Tshape", TF_INT32);
    return transpose(w, reshaped, to_last, v->name);
}
