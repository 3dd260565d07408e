/* onnx_attr.c — attributes of a node, read with their type checked. */
#include "formats/onnx/onnx_import.h"

#include <math.h>
#include <string.h>

#define TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

const Onnx__AttributeProto *onnx_attribute(const struct onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        if (strcmp(node->proto->attribute[i]->name, name) == 0)
            return node->proto->attribute[i];
    return NULL;
}

bool onnx_has(const struct onnx_node *node, const char *name)
{
    return onnx_attribute(node, name) != NULL;
}

static const char *type_name(Onnx__AttributeProto__AttributeType type)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&onnx__attribute_proto__attribute_type__descriptor, (int)type);

    return value == NULL ? "an unknown type" : value->name;
}

/* *found is the attribute, or NULL when it is absent. Files older than IR version 2 do not write the type. */
static int find_typed(const struct onnx_node *node, const char *name, Onnx__AttributeProto__AttributeType type,
                      const Onnx__AttributeProto **found, struct error *err)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);

    *found = attribute;
    if (attribute == NULL || !attribute->has_type || attribute->type == type)
        return 0;
    return error_set(err, EX_DATAERR, "attribute \"%s\": expected %s, found %s", name, type_name(type),
                     type_name(attribute->type));
}

int onnx_int(const struct onnx_node *node, const char *name, int64_t fallback, int64_t *out, struct error *err)
{
    const Onnx__AttributeProto *attribute;

    if (find_typed(node, name, TYPE(INT), &attribute, err) != 0)
        return -1;
    *out = attribute == NULL ? fallback : attribute->i;
    return 0;
}

int onnx_flag(const struct onnx_node *node, const char *name, bool fallback, bool *out, struct error *err)
{
    int64_t integer;

    if (onnx_int(node, name, fallback, &integer, err) != 0)
        return -1;
    *out = integer != 0;
    return 0;
}

int onnx_float(const struct onnx_node *node, const char *name, float fallback, float *out, struct error *err)
{
    const Onnx__AttributeProto *attribute;

    if (find_typed(node, name, TYPE(FLOAT), &attribute, err) != 0)
        return -1;
    if (attribute != NULL && isnan(attribute->f))
        return error_set(err, EX_DATAERR, "attribute \"%s\" is not a number", name);
    *out = attribute == NULL ? fallback : attribute->f;
    return 0;
}

static int check_count(const char *name, size_t found, size_t max, struct error *err)
{
    if (found <= max)
        return 0;
    return error_set(err, EX_DATAERR, "attribute \"%s\": expected at most %zu items, found %zu", name, max, found);
}

int onnx_ints(const struct onnx_node *node, const char *name, int64_t *out, size_t max, size_t *n, struct error *err)
{
    const Onnx__AttributeProto *attribute;

    if (find_typed(node, name, TYPE(INTS), &attribute, err) != 0 ||
        (attribute != NULL && check_count(name, attribute->n_ints, max, err) != 0))
        return -1;
    *n = attribute == NULL ? 0 : attribute->n_ints;
    if (*n > 0)
        memcpy(out, attribute->ints, *n * sizeof *out);
    return 0;
}

int onnx_floats(const struct onnx_node *node, const char *name, float *out, size_t max, size_t *n, struct error *err)
{
    const Onnx__AttributeProto *attribute;

    if (find_typed(node, name, TYPE(FLOATS), &attribute, err) != 0 ||
        (attribute != NULL && check_count(name, attribute->n_floats, max, err) != 0))
        return -1;
    *n = attribute == NULL ? 0 : attribute->n_floats;
    if (*n > 0)
        memcpy(out, attribute->floats, *n * sizeof *out);
    return 0;
}

int onnx_choice(const struct onnx_node *node, const char *name, const char *const *choices, int fallback, int *out,
                struct error *err)
{
    const Onnx__AttributeProto *attribute;

    if (find_typed(node, name, TYPE(STRING), &attribute, err) != 0)
        return -1;
    *out = fallback;
    return attribute == NULL ? 0 : import_choice(name, attribute->s.data, attribute->s.len, choices, out, err);
}
