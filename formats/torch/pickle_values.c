/* pickle_values.c — looking at what a pickle holds; see pickle.h. */
#include "formats/torch/pickle.h"

#include <stdio.h>
#include <string.h>

const struct pickle_value *pickle_as(const struct pickle *pickle, int value, enum pickle_kind kind)
{
    return value >= 0 && pickle->values[value].kind == kind ? &pickle->values[value] : NULL;
}

int pickle_first(const struct pickle *pickle, int value)
{
    return value < 0 ? PICKLE_ABSENT : pickle->values[value].first;
}

bool pickle_next(const struct pickle *pickle, int *cell, int *item)
{
    if (*cell == PICKLE_ABSENT)
        return false;
    *item = pickle->items[*cell].value;
    *cell = pickle->items[*cell].next;
    return true;
}

int pickle_item(const struct pickle *pickle, int value, size_t n)
{
    int cell = PICKLE_ABSENT, item = PICKLE_ABSENT;

    if (pickle_as(pickle, value, PICKLE_TUPLE) != NULL || pickle_as(pickle, value, PICKLE_LIST) != NULL)
        cell = pickle_first(pickle, value);
    while (pickle_next(pickle, &cell, &item))
        if (n-- == 0)
            return item;
    return PICKLE_ABSENT;
}

bool pickle_is_text(const struct pickle *pickle, int value, const char *text)
{
    const struct pickle_value *v = pickle_as(pickle, value, PICKLE_TEXT);

    return v != NULL && v->text.size == strlen(text) && memcmp(v->text.data, text, v->text.size) == 0;
}

bool pickle_is_global(const struct pickle *pickle, int value, const char *module, const char *name)
{
    const struct pickle_value *v = pickle_as(pickle, value, PICKLE_GLOBAL);

    return v != NULL && pickle_is_text(pickle, v->global.module, module) &&
           pickle_is_text(pickle, v->global.name, name);
}

const char *pickle_describe(const struct pickle *pickle, int value, char *buffer, size_t size)
{
    const struct pickle_value *v = pickle_as(pickle, value, PICKLE_OBJECT), *module, *name;

    if (v != NULL) /* the class */
        value = v->object.callee;
    v = pickle_as(pickle, value, PICKLE_PERSISTENT);
    if (v != NULL) /* a class that the file brings its source text along for: ("module", class, ...) */
        value = pickle_item(pickle, v->persistent, 1);
    v = pickle_as(pickle, value, PICKLE_GLOBAL);
    if (v == NULL) {
        snprintf(buffer, size, "something");
        return buffer;
    }
    module = &pickle->values[v->global.module];
    name = &pickle->values[v->global.name];
    snprintf(buffer, size, "%.*s.%.*s", (int)(module->text.size < size ? module->text.size : size), module->text.data,
             (int)(name->text.size < size ? name->text.size : size), name->text.data);
    return buffer;
}
