/* ops_split.c — what cuts a value into several: Split in its two forms, Unpack. */
#include "formats/tensorflow/tf_import.h"

#include <stdlib.h>

/* One output for each of sizes[0..n), along `axis`. */
static int split(struct tf_import *in, struct tf_node *node, const struct tf_tensor *tensor, size_t axis,
                 const int64_t *sizes, size_t n, struct error *err)
{
    struct tf_part part = tf_whole(in, tensor);

    if (tf_create_outputs(in, node, n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        part.size.dims[axis] = sizes[i];
        if (tf_add_part(in, node, tensor, &part, i, NULL, &node->outputs[i], err) != 0)
            return -1;
        part.begin[axis] += sizes[i];
    }
    return 0;
}

/* The attribute that says how many outputs there are. */
static int read_count(const struct tf_node *node, const char *name, int64_t *out, struct error *err)
{
    enum { MAX_PARTS = 1 << 16 };

    if (tf_int(node, name, 0, out, err) != 0)
        return -1;
    if (*out < 1 || *out > MAX_PARTS)
        return error_set(err, EX_DATAERR, "attribute \"%s\": expected 1 to %d, found %lld", name, MAX_PARTS,
                         (long long)*out);
    return 0;
}

/* Split: the axis comes first, the parts are equal. */
int tf_build_split(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[1];
    struct shape shape = tf_shape(in, x);
    int64_t wanted, n, *sizes;
    size_t axis;
    int rc;

    if (read_count(node, "num_split", &n, err) != 0 || tf_constant_int(in, node, 0, &wanted, err) != 0 ||
        import_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    if (shape.dims[axis] % n != 0)
        return error_set(err, EX_DATAERR, "an axis of %lld does not split into %lld equal parts",
                         (long long)shape.dims[axis], (long long)n);
    sizes = memory_create((size_t)n, sizeof *sizes, "the parts of a split", err);
    if (sizes == NULL)
        return -1;
    for (int64_t i = 0; i < n; i++)
        sizes[i] = shape.dims[axis] / n;
    rc = split(in, node, x, axis, sizes, (size_t)n, err);
    free(sizes);
    return rc;
}

/* Sizes that cover `dim` elements; one of them may be -1, the rest. */
static int settle_sizes(int64_t *sizes, size_t n, int64_t dim, struct error *err)
{
    int64_t sum = 0, *open = NULL;

    for (size_t i = 0; i < n; i++) {
        if (sizes[i] == -1 && open == NULL) {
            open = &sizes[i];
            continue;
        }
        if (sizes[i] < 0 || sizes[i] > dim - sum)
            return error_set(err, EX_DATAERR, "part %zu of %lld elements lies outside an axis of %lld", i,
                             (long long)sizes[i], (long long)dim);
        sum += sizes[i];
    }
    if (open != NULL)
        *open = dim - sum;
    else if (sum != dim)
        return error_set(err, EX_DATAERR, "the parts cover %lld of the %lld elements of the axis", (long long)sum,
                         (long long)dim);
    return 0;
}

/* SplitV: value, sizes, axis. */
int tf_build_split_sizes(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct shape shape = tf_shape(in, x);
    int64_t wanted, count, *sizes;
    size_t axis, n;
    int rc = -1;

    if (read_count(node, "num_split", &count, err) != 0 || tf_constant_int(in, node, 2, &wanted, err) != 0 ||
        import_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    sizes = memory_create((size_t)count, sizeof *sizes, "the parts of a split", err);
    if (sizes == NULL)
        return -1;
    if (tf_constant_ints(in, node, 1, sizes, (size_t)count, &n, err) == 0 &&
        settle_sizes(sizes, n, shape.dims[axis], err) == 0)
        rc = split(in, node, x, axis, sizes, n, err);
    free(sizes);
    return rc;
}

/* Unpack: one output for each element of an axis, which goes. */
int tf_build_unpack(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct tf_part part = tf_whole(in, x);
    struct shape shape = part.size, less = {0};
    struct tf_tensor piece;
    int64_t wanted, n;
    size_t axis;

    if (read_count(node, "num", &n, err) != 0 || tf_int(node, "axis", 0, &wanted, err) != 0 ||
        import_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    if (shape.dims[axis] != n)
        return error_set(err, EX_DATAERR, "an axis of %lld does not unpack into %lld", (long long)shape.dims[axis],
                         (long long)n);
    for (size_t i = 0; i < shape.rank; i++)
        if (i != axis)
            less.dims[less.rank++] = shape.dims[i];
    part.size.dims[axis] = 1;
    if (tf_create_outputs(in, node, (size_t)n, err) != 0)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        part.begin[axis] = i;
        if (tf_add_part(in, node, x, &part, 0, "part", &piece, err) != 0 ||
            tf_reshape(in, node, &piece, &less, (size_t)i, err) != 0)
            return -1;
    }
    return 0;
}
