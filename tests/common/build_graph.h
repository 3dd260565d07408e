/* build_graph.h — short words for building graphs in tests; every call must succeed.
 */
#ifndef ETALON_TESTS_BUILD_GRAPH_H
#define ETALON_TESTS_BUILD_GRAPH_H

#include "common/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHAPE(...)                                                                                                     \
    ((struct shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}) /* at least one extent */
#define INTS(...) (int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)

static inline struct graph *new_graph(void)
{
    struct graph *graph = graph_create("test", NULL);

    assert_non_null(graph);
    return graph;
}

static inline int add_input(struct graph *graph, const char *name, struct shape shape)
{
    int value = graph_add_value(graph, name, DTYPE_FLOAT32, &shape, NULL);

    assert_true(value >= 0);
    assert_true(graph_add_input(graph, value, NULL) >= 0);
    return value;
}

static inline int add_value(struct graph *graph, const char *name)
{
    int value = graph_add_value(graph, name, DTYPE_FLOAT32, NULL, NULL);

    assert_true(value >= 0);
    return value;
}

/* Copies the data. */
static inline int add_constant(struct graph *graph, const char *name, enum dtype dtype, struct shape shape,
                               const void *data)
{
    size_t bytes = (size_t)shape_elements(&shape) * dtype_size(dtype);
    void *copy = arena_create_array(graph->arena, bytes, 1, NULL);
    struct tensor tensor = {dtype, shape, copy};
    int value;

    assert_non_null(copy);
    if (bytes > 0 && data != NULL)
        memcpy(copy, data, bytes);
    value = graph_add_constant(graph, name, &tensor, NULL);
    assert_true(value >= 0);
    return value;
}

static inline int add_floats(struct graph *graph, struct shape shape, const float *data)
{
    return add_constant(graph, NULL, DTYPE_FLOAT32, shape, data);
}

#define add_ints(graph, ...)                                                                                           \
    add_constant(graph, NULL, DTYPE_INT64, SHAPE(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                  \
                 (int64_t[]){__VA_ARGS__})

/* A node with one output called `name`; returns the output. The node is the last of the graph. */
static inline int add_node(struct graph *graph, enum op op, const char *name, const int *inputs, size_t n)
{
    int output = add_value(graph, name);

    assert_true(graph_add_node(graph, op, name, NULL, inputs, n, &output, 1, NULL) >= 0);
    return output;
}

static inline struct node *last_node(struct graph *graph)
{
    return &graph->nodes[graph->n_nodes - 1];
}

static inline const struct node *find_node(const struct graph *graph, const char *name)
{
    int index = graph_find_node(graph, name);

    assert_true(index != GRAPH_NONE);
    return &graph->nodes[index];
}

static inline struct window make_window(int64_t kernel, int64_t stride, int64_t pad)
{
    return (struct window){{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}};
}

#define assert_fails(call, expected_code, err, ...)                                                                    \
    do {                                                                                                               \
        const char *const words_[] = {__VA_ARGS__};                                                                    \
        (err) = (struct error){0};                                                                                     \
        assert_true((call) < 0);                                                                                       \
        assert_int_equal((err).code, expected_code);                                                                   \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof words_[0]; i_++)                                               \
            if (strstr((err).text, words_[i_]) == NULL)                                                                \
                fail_msg("\"%s\" does not mention \"%s\"", (err).text, words_[i_]);                                    \
    } while (0)

#define assert_succeeds(call, err)                                                                                     \
    do {                                                                                                               \
        (err) = (struct error){0};                                                                                     \
        if ((call) < 0)                                                                                                \
            fail_msg("%s", (err).text);                                                                                \
    } while (0)

#endif
