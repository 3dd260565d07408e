/* tf_attr.c — attributes of a node, read with their type checked. */
#include "formats/tensorflow/tf_import.h"

#include <math.h>
#include <string.h>

#define CASE(name) TENSORFLOW__ATTR_VALUE__VALUE_##name

static const char *const case_names[] = {
    "nothing", "a list", "a string", "an integer", "a float", "a flag", "a type", "a shape", "a tensor",
};

const Tensorflow__AttrValue *tf_attribute(const Tensorflow__NodeDef *proto, const char *name)
{
    for (size_t i = 0; i < proto->n_attr; i++)
        if (strcmp(tf_text(proto->attr[i]->key), name) == 0)
            return proto->attr[i]->value;
    return NULL;
}

/* *found is the attribute, or NULL when it is absent. */
static int find_typed(const Tensorflow__NodeDef *proto, const char *name, Tensorflow__AttrValue__ValueCase type,
                      const Tensorflow__AttrValue **found, struct error *err)
{
    const Tensorflow__AttrValue *attribute = tf_attribute(proto, name);

    *found = attribute;
    if (attribute == NULL || attribute->value_case == type)
        return 0;
    return error_set(err, EX_DATAERR, "attribute \"%s\": expected %s, found %s", name, case_names[type],
                     case_names[attribute->value_case]);
}

int tf_int(const struct tf_node *node, const char *name, int64_t fallback, int64_t *out, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(node->proto, name, CASE(I), &attribute, err) != 0)
        return -1;
    *out = attribute == NULL ? fallback : attribute->i;
    return 0;
}

int tf_flag(const struct tf_node *node, const char *name, bool fallback, bool *out, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(node->proto, name, CASE(B), &attribute, err) != 0)
        return -1;
    *out = attribute == NULL ? fallback : attribute->b != 0;
    return 0;
}

int tf_float(const struct tf_node *node, const char *name, float fallback, float *out, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(node->proto, name, CASE(F), &attribute, err) != 0)
        return -1;
    if (attribute != NULL && isnan(attribute->f))
        return error_set(err, EX_DATAERR, "attribute \"%s\" is not a number", name);
    *out = attribute == NULL ? fallback : attribute->f;
    return 0;
}

int tf_type(const struct tf_node *node, const char *name, int32_t fallback, int32_t *out, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(node->proto, name, CASE(TYPE), &attribute, err) != 0)
        return -1;
    *out = attribute == NULL ? fallback : (int32_t)attribute->type;
    return 0;
}

int tf_ints(const struct tf_node *node, const char *name, int64_t *out, size_t max, size_t *n, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(node->proto, name, CASE(LIST), &attribute, err) != 0)
        return -1;
    *n = attribute == NULL ? 0 : attribute->list->n_i;
    if (*n > max)
        return error_set(err, EX_DATAERR, "attribute \"%s\": expected at most %zu items, found %zu", name, max, *n);
    if (*n > 0)
        memcpy(out, attribute->list->i, *n * sizeof *out);
    return 0;
}

/* The position of attribute `name` in `choices`. */
static int choose(const Tensorflow__NodeDef *proto, const char *name, const char *const *choices, int fallback,
                  int *out, struct error *err)
{
    const Tensorflow__AttrValue *attribute;

    if (find_typed(proto, name, CASE(S), &attribute, err) != 0)
        return -1;
    *out = fallback;
    return attribute == NULL ? 0 : import_choice(name, attribute->s.data, attribute->s.len, choices, out, err);
}

int tf_choice(const struct tf_node *node, const char *name, const char *const *choices, int fallback, int *out,
              struct error *err)
{
    return choose(node->proto, name, choices, fallback, out, err);
}

int tf_is_channels_last(const Tensorflow__NodeDef *proto, bool *out, struct error *err)
{
    static const char *const formats[] = {"NHWC", "NCHW", NULL};
    int format;

    if (choose(proto, "data_format", formats, 0, &format, err) != 0)
        return -1;
    *out = format == 0;
    return 0;
}
