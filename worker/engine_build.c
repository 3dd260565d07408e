/* engine_build.c — adding values, buffers, steps and weights to an engine's program; see engine_private.h. */
#include "worker/engine_private.h"

#include <assert.h>
#include <stdlib.h>

int engine_describe(struct engine *engine, int index, struct error *err)
{
    const struct value *value = &engine->graph->values[index];
    const struct shape *shape = &value->shape;
    int64_t *dims = engine->values[index].dims;
    int64_t elements = shape_elements(shape), bytes, lead;
    char text[SHAPE_TEXT_BYTES];

    if (value->dtype != DTYPE_FLOAT32)
        return error_set(err, EX_UNAVAILABLE, "value \"%s\" is %s; the engine computes in float32", value->name,
                         dtype_name(value->dtype));
    if (elements <= 0 || (!engine->graph->is_unbatched && (shape->rank == 0 || shape->dims[0] != 1)))
        return error_set(err, EX_UNAVAILABLE, "value \"%s\": expected shape 1x..., one record, found %s", value->name,
                         shape_text(shape, text));
    if (__builtin_mul_overflow(elements, (int64_t)(engine->batch * sizeof(float)), &bytes))
        return error_set(err, EX_OSERR, "value \"%s\": %zu records of %s are more than memory can address", value->name,
                         engine->batch, shape_text(shape, text));
    lead = shape->rank > 0 ? shape->dims[0] : 1; /* 1 where it is the batch */
    dims[0] = lead * (int64_t)engine->batch;
    dims[1] = shape->rank > 1 ? shape->dims[1] : 1;
    dims[2] = shape->rank > 3 ? shape->dims[2] : 1;
    dims[3] = elements / (lead * dims[1] * dims[2]);
    return 0;
}

static int add_buffer(struct engine *engine, const dnnl_memory_desc_t *md, int *buffer, struct error *err)
{
    if (memory_grow((void **)&engine->buffers, &engine->buffers_capacity, engine->n_buffers, sizeof *engine->buffers,
                    "the engine's buffers", err) != 0)
        return -1;
    engine->buffers[engine->n_buffers] = (struct engine_buffer){.bytes = dnnl_memory_desc_get_size(md),
                                                                .first = ENGINE_FOREVER,
                                                                .last = ENGINE_BEFORE,
                                                                .merged_into = -1,
                                                                .constant = GRAPH_NONE};
    *buffer = (int)engine->n_buffers++;
    return 0;
}

void engine_touch(struct engine *engine, int buffer, int step)
{
    struct engine_buffer *b = &engine->buffers[buffer];

    b->first = step < b->first ? step : b->first;
    b->last = step > b->last ? step : b->last;
}

static void add_form(struct engine *engine, int index, size_t block, int buffer)
{
    struct engine_value *value = &engine->values[index];

    assert(value->n_forms < ENGINE_MAX_FORMS);
    value->forms[value->n_forms++] = (struct engine_form){block, buffer};
}

size_t engine_home(const struct engine *engine, int value)
{
    return engine->values[value].n_forms == 0 ? 1 : engine->values[value].forms[0].block;
}

int engine_write(struct engine *engine, int value, size_t block, int *buffer, struct error *err)
{
    dnnl_memory_desc_t md = onednn_layout(engine->values[value].dims, block);

    if (add_buffer(engine, &md, buffer, err) != 0)
        return -1;
    add_form(engine, value, block, *buffer);
    return 0;
}

void engine_alias(struct engine *engine, int value, size_t block, int buffer)
{
    /* An alias may have no step of its own, and is looked at before the next step runs. */
    engine_touch(engine, buffer, (int)engine->n_steps - 1);
    add_form(engine, value, block, buffer);
}

/* A constant that is read as an activation lives for ever, repeated for every record. */
static int write_constant(struct engine *engine, int value, struct error *err)
{
    int buffer;

    if (engine_describe(engine, value, err) != 0 || engine_write(engine, value, 1, &buffer, err) != 0)
        return -1;
    engine_touch(engine, buffer, ENGINE_BEFORE);
    engine_touch(engine, buffer, ENGINE_FOREVER);
    engine->buffers[buffer].constant = value;
    return 0;
}

static int add_reorder(struct engine *engine, const struct engine_value *value, struct engine_form from,
                       struct engine_form to, struct error *err)
{
    dnnl_memory_desc_t from_md = onednn_layout(value->dims, from.block), to_md = onednn_layout(value->dims, to.block);
    dnnl_primitive_attr_t attr = onednn_attributes((struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_primitive_desc_t pd;
    dnnl_status_t status;

    if (attr == NULL || library == NULL)
        return -1;
    status = dnnl_reorder_primitive_desc_create(&pd, &from_md, library, &to_md, library, attr);
    dnnl_primitive_attr_destroy(attr);
    if (onednn_check(status, "describe a reorder", err) != 0)
        return -1;
    return engine_add_unary(engine, pd, &from_md, from.buffer, &to_md, to.buffer, err);
}

int engine_read(struct engine *engine, int index, size_t block, int *buffer, struct error *err)
{
    struct engine_value *value = &engine->values[index];
    dnnl_memory_desc_t md = onednn_layout(value->dims, block);
    struct engine_form form = {block, -1};

    if (value->n_forms == 0 && write_constant(engine, index, err) != 0)
        return -1;
    for (size_t i = 0; i < value->n_forms; i++)
        if (onednn_layouts_coincide(value->dims, value->forms[i].block, block)) {
            *buffer = value->forms[i].buffer;
            return 0;
        }
    if (add_buffer(engine, &md, &form.buffer, err) != 0 || add_reorder(engine, value, value->forms[0], form, err) != 0)
        return -1;
    add_form(engine, index, block, form.buffer);
    *buffer = form.buffer;
    return 0;
}

struct engine_step *engine_add_step(struct engine *engine, size_t capacity, struct error *err)
{
    struct engine_step *step;

    if (memory_grow((void **)&engine->steps, &engine->steps_capacity, engine->n_steps, sizeof *engine->steps,
                    "the engine's steps", err) != 0)
        return NULL;
    step = &engine->steps[engine->n_steps];
    *step = (struct engine_step){.capacity = capacity + 1, .overwriting = -1, .overwritten = -1}; /* + scratchpad */
    step->operands = arena_create_array(engine->arena, step->capacity, sizeof *step->operands, err);
    if (step->operands == NULL)
        return NULL;
    engine->n_steps++;
    return step;
}

static struct engine_operand *add_operand(struct engine_step *step, int arg, const dnnl_memory_desc_t *md)
{
    struct engine_operand *operand = &step->operands[step->n_operands++];

    operand->arg = arg;
    operand->buffer = GRAPH_NONE;
    if (md != NULL)
        operand->md = *md;
    return operand;
}

void engine_bind(struct engine *engine, struct engine_step *step, int arg, const dnnl_memory_desc_t *md, int buffer)
{
    add_operand(step, arg, md)->buffer = buffer;
    engine_touch(engine, buffer, (int)(step - engine->steps));
}

void engine_bind_fixed(struct engine_step *step, int arg, const dnnl_memory_desc_t *md, const void *data)
{
    add_operand(step, arg, md)->fixed = data;
}

int engine_set_primitive(struct engine *engine, struct engine_step *step, dnnl_primitive_desc_t pd, struct error *err)
{
    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = scratchpad == NULL ? 0 : dnnl_memory_desc_get_size(scratchpad);
    dnnl_status_t status;

    if (bytes > 0) {
        add_operand(step, DNNL_ARG_SCRATCHPAD, scratchpad)->buffer = ENGINE_SCRATCHPAD;
        engine->scratchpad_bytes = bytes > engine->scratchpad_bytes ? bytes : engine->scratchpad_bytes;
    }
    status = dnnl_primitive_create(&step->primitive, pd);
    dnnl_primitive_desc_destroy(pd);
    return onednn_check(status, "create a primitive", err);
}

int engine_add_unary(struct engine *engine, dnnl_primitive_desc_t pd, const dnnl_memory_desc_t *from, int from_buffer,
                     const dnnl_memory_desc_t *to, int to_buffer, struct error *err)
{
    struct engine_step *step = engine_add_step(engine, 2, err);

    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC, from, from_buffer);
    engine_bind(engine, step, DNNL_ARG_DST, to, to_buffer);
    return engine_set_primitive(engine, step, pd, err);
}

struct engine_step *engine_add_kernel(struct engine *engine, engine_kernel kernel, const void *context,
                                      const int *inputs, size_t n, int output, struct error *err)
{
    struct engine_step *step = engine_add_step(engine, n + 1, err);

    if (step == NULL)
        return NULL;
    step->kernel = kernel;
    step->context = context;
    for (size_t i = 0; i < n; i++) {
        if (inputs[i] >= 0)
            engine_bind(engine, step, 0, NULL, inputs[i]);
        else
            engine_bind_fixed(step, 0, NULL, NULL);
    }
    engine_bind(engine, step, 0, NULL, output);
    return step;
}

void engine_allow_in_place(struct engine *engine, int output, int input)
{
    struct engine_step *step = &engine->steps[engine->n_steps - 1];

    step->overwriting = output;
    step->overwritten = input;
}

const float *engine_constant(const struct engine *engine, const struct node *node, size_t i)
{
    struct tensor tensor;

    if (i >= node->n_inputs || !graph_constant(engine->graph, node->inputs[i], &tensor))
        return NULL;
    return tensor.data;
}

static const struct engine_weights *find_weights(const struct engine *engine, int node, size_t input,
                                                 const dnnl_memory_desc_t *md)
{
    for (size_t i = 0; engine != NULL && i < engine->n_weights; i++)
        if (engine->weights[i].node == node && engine->weights[i].input == input &&
            dnnl_memory_desc_equal(&engine->weights[i].md, md))
            return &engine->weights[i];
    return NULL;
}

static int reorder_once(dnnl_stream_t stream, const dnnl_memory_desc_t *from_md, const void *from,
                        const dnnl_memory_desc_t *to_md, void *to, struct error *err)
{
    dnnl_engine_t library = onednn_engine(err);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t in = NULL, out = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from_md, library, to_md, library, NULL);

    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, pd);
    if (status == dnnl_success)
        status = dnnl_memory_create(&in, from_md, library, (void *)(uintptr_t)from); /* only read */
    if (status == dnnl_success)
        status = dnnl_memory_create(&out, to_md, library, to);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, in}, {DNNL_ARG_TO, out}};

        status = dnnl_primitive_execute(reorder, stream, 2, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    dnnl_memory_destroy(in);
    dnnl_memory_destroy(out);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    return onednn_check(status, "reorder weights", err);
}

/* The next of the weights that an equal engine has made. */
static void *take_given(struct engine *engine, size_t bytes, struct error *err)
{
    const unsigned char *at = engine->given + engine->given_used;
    size_t size = engine_weights_place(bytes);

    if (size > engine->given_bytes - engine->given_used) {
        error_set(err, EX_SOFTWARE, "weights of another engine: %zu bytes are left, %zu expected",
                  engine->given_bytes - engine->given_used, size);
        return NULL;
    }
    engine->given_used += size;
    return (void *)(uintptr_t)at; /* only read */
}

int engine_get_weights(struct engine *engine, const struct node *node, size_t input, const dnnl_memory_desc_t *from,
                       const dnnl_memory_desc_t *to, const void **data, struct error *err)
{
    struct engine_weights new = {(int)(node - engine->graph->nodes), input, *to, NULL,
                                 dnnl_memory_desc_get_size(to),      false};
    const struct engine_weights *shared = find_weights(engine->share, new.node, input, to);

    if (dnnl_memory_desc_equal(from, to)) {
        *data = engine_constant(engine, node, input);
        return 0;
    }
    if (memory_grow((void **)&engine->weights, &engine->weights_capacity, engine->n_weights, sizeof *engine->weights,
                    "the engine's weights", err) != 0)
        return -1;
    if (shared != NULL) {
        new.data = shared->data;
    } else if (engine->given != NULL) {
        new.data = take_given(engine, new.bytes, err);
    } else {
        new.data = memory_create(new.bytes, 1, "weights", err);
        new.is_owned = new.data != NULL;
        engine->weights_bytes += new.bytes;
    }
    if (new.data == NULL)
        return -1;
    engine->weights[engine->n_weights++] = new;
    *data = new.data;
    if (new.is_owned)
        return reorder_once(engine->stream, from, engine_constant(engine, node, input), to, new.data, err);
    return 0;
}
