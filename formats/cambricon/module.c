/* module.c — names, members and lines of a PyTorch module; see module.h. */
#include "formats/cambricon/module.h"

#include <ctype.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names */

/* Python's keywords, and what the source itself uses. */
static const char *const reserved_variables[] = {
    "False", "None",  "True",   "and",      "as",     "assert",  "async",  "await",   "break",  "class", "continue",
    "def",   "del",   "elif",   "else",     "except", "finally", "for",    "from",    "global", "if",    "import",
    "in",    "is",    "lambda", "nonlocal", "not",    "or",      "pass",   "raise",   "return", "try",   "while",
    "with",  "yield", "self",   "torch",    "nn",     "F",       "padded", "centred", "float",  "super",
};

/* Members that every nn.Module has. */
static const char *const reserved_members[] = {
    "add_module",
    "apply",
    "bfloat16",
    "buffers",
    "children",
    "cpu",
    "cuda",
    "double",
    "dump_patches",
    "eval",
    "extra_repr",
    "float",
    "forward",
    "half",
    "load_state_dict",
    "modules",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "parameters",
    "register_backward_hook",
    "register_buffer",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_parameter",
    "requires_grad_",
    "share_memory",
    "state_dict",
    "to",
    "train",
    "training",
    "type",
    "zero_grad",
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void reserve(struct module *m, void **tree, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n && m->err.code == 0; i++)
        if (tsearch(names[i], tree, compare_names) == NULL)
            error_set(&m->err, EX_OSERR, "cannot allocate memory for the names of a module");
}

/* An identifier like `name` that nobody has in the tree. */
static const char *claim(struct module *m, void **tree, const char *name)
{
    char *base, *unique;

    if (m->err.code != 0)
        return "";
    while (*name != '\0' && !isalnum((unsigned char)*name))
        name++;
    base = arena_format(m->arena, &m->err, "%s%s", isalpha((unsigned char)*name) ? "" : "n", name);
    for (char *c = base; c != NULL && *c != '\0'; c++)
        *c = isalnum((unsigned char)*c) ? *c : '_';
    unique = base;
    for (size_t i = 2; unique != NULL && tfind(unique, tree, compare_names) != NULL; i++)
        unique = arena_format(m->arena, &m->err, "%s_%zu", base, i);
    if (unique == NULL)
        return "";
    reserve(m, tree, (const char *const[]){unique}, 1);
    return unique;
}

static void forget(void **tree)
{
    while (*tree != NULL) /* names are the arena's, or constants */
        tdelete(*(char **)*tree, tree, compare_names);
}

/* ---- Lines */

void module_cannot(struct module *m, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;

    if (m->err.code != 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(&m->err, EX_UNAVAILABLE, "node \"%s\" (%s): %s", m->node->name, m->node->type, text);
}

static void put_line(struct module *m, FILE *out, const char *format, va_list args)
{
    if (m->err.code != 0)
        return;
    fputs("        ", out);
    vfprintf(out, format, args);
    fputc('\n', out);
}

void module_line(struct module *m, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line(m, m->forward, format, args);
    va_end(args);
}

void module_member(struct module *m, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line(m, m->init, format, args);
    va_end(args);
}

/* ---- Members and values */

const char *module_name_layer(struct module *m)
{
    return m->layers[m->node - m->graph->nodes] = claim(m, &m->members, m->node->name);
}

static void add_state(struct module *m, const char *name, int constant)
{
    const struct value *value = &m->graph->values[constant];

    if (m->err.code != 0 || memory_grow((void **)&m->state, &m->state_capacity, m->n_state, sizeof *m->state,
                                        "the state of a module", &m->err) != 0)
        return;
    m->state[m->n_state++] = (struct torch_tensor){name, {value->dtype, value->shape, (void *)(uintptr_t)value->data}};
}

void module_weight(struct module *m, const char *layer, const char *what, int constant)
{
    const char *name = m->err.code != 0 ? NULL : arena_format(m->arena, &m->err, "%s.%s", layer, what);

    if (name != NULL)
        add_state(m, name, constant);
}

static void put_shape(FILE *out, const struct shape *shape)
{
    fputc('(', out);
    for (size_t i = 0; i < shape->rank; i++)
        fprintf(out, "%lld,%s", (long long)shape->dims[i], i + 1 < shape->rank ? " " : "");
    fputc(')', out);
}

/* A constant that is no weight of a layer: a buffer, under one name however often it is read. */
static const char *put_buffer(struct module *m, int value)
{
    const struct value *constant = &m->graph->values[value];
    const char *name = claim(m, &m->members, constant->name);

    if (m->err.code != 0)
        return "";
    if (constant->dtype != DTYPE_FLOAT32 && constant->dtype != DTYPE_INT64) {
        module_cannot(m, "a constant of type %s is not written", dtype_name(constant->dtype));
        return "";
    }
    fprintf(m->init, "        self.register_buffer(\"%s\", torch.zeros(", name);
    put_shape(m->init, &constant->shape);
    fprintf(m->init, ", dtype=torch.%s))\n", constant->dtype == DTYPE_FLOAT32 ? "float32" : "int64");
    add_state(m, name, value);
    return arena_format(m->arena, &m->err, "self.%s", name);
}

const char *module_value(struct module *m, int value)
{
    if (m->err.code == 0 && m->variables[value] == NULL)
        m->variables[value] = put_buffer(m, value);
    return m->err.code != 0 || m->variables[value] == NULL ? "" : m->variables[value];
}

const char *module_target(struct module *m)
{
    int value = m->node->outputs[0];

    return m->variables[value] = claim(m, &m->names, m->graph->values[value].name);
}

/* ---- The walk */

static void put_node(struct module *m, const struct node *node)
{
    m->node = node;
    if (module_ops[node->op] == NULL) {
        module_cannot(m, "%s has no form in PyTorch 1.3", op_name(node->op));
        return;
    }
    module_ops[node->op](m);
    module_fused(m, node->fused, m->variables[node->outputs[0]]);
}

static void put_all(struct module *m)
{
    reserve(m, &m->names, reserved_variables, sizeof reserved_variables / sizeof *reserved_variables);
    reserve(m, &m->members, reserved_members, sizeof reserved_members / sizeof *reserved_members);
    for (size_t i = 0; i < m->graph->n_inputs && m->err.code == 0; i++)
        m->variables[m->graph->inputs[i]] = claim(m, &m->names, m->graph->values[m->graph->inputs[i]].name);
    for (size_t i = 0; i < m->graph->n_nodes && m->err.code == 0; i++)
        put_node(m, &m->graph->nodes[i]);
}

static int close_text(FILE *out, struct error *err)
{
    bool has_failed = out == NULL || ferror(out) != 0;

    if ((out == NULL || fclose(out) == 0) && !has_failed)
        return 0;
    return error_set(err, EX_OSERR, "cannot allocate memory for the source of a module");
}

int module_init(struct module *m, const struct graph *graph, struct error *err)
{
    *m = (struct module){.graph = graph, .arena = arena_create(err)};
    if (m->arena == NULL)
        return -1;
    if (graph->is_unbatched)
        return error_set(err, EX_UNAVAILABLE, "a network without a batch axis is not written as a module");
    m->variables = arena_create_array(m->arena, graph->n_values, sizeof *m->variables, err);
    m->layers = arena_create_array(m->arena, graph->n_nodes, sizeof *m->layers, err);
    if (m->variables == NULL || m->layers == NULL)
        return -1;
    m->init = open_memstream(&m->init_text, &m->init_size);
    m->forward = open_memstream(&m->forward_text, &m->forward_size);
    if (m->init != NULL && m->forward != NULL)
        put_all(m);
    if (close_text(m->init, err) + close_text(m->forward, err) != 0)
        return -1;
    return m->err.code == 0 ? 0 : error_set(err, m->err.code, "%s", m->err.text);
}

void module_fini(struct module *m)
{
    forget(&m->names);
    forget(&m->members);
    free(m->init_text);
    free(m->forward_text);
    free(m->state);
    arena_destroy(m->arena);
}

static void put_names(const struct module *m, const int *values, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", m->variables[values[i]]);
}

int module_source(const struct module *m, char **text, size_t *size, struct error *err)
{
    FILE *out = open_memstream(text, size);

    if (out == NULL)
        return error_set(err, EX_OSERR, "cannot allocate memory for the source of a module");
    fputs("# A network for PyTorch 1.3 and later; its weights are the state_dict beside it. Made by etalon.\n"
          "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"
          "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n",
          out);
    fputs(m->init_text, out);
    fputs("\n    def forward(self, ", out);
    put_names(m, m->graph->inputs, m->graph->n_inputs, out);
    fputs("):\n", out);
    fputs(m->forward_text, out);
    fputs("        return ", out);
    put_names(m, m->graph->outputs, m->graph->n_outputs, out);
    fputc('\n', out);
    if (close_text(out, err) == 0)
        return 0;
    free(*text);
    *text = NULL;
    return -1;
}
