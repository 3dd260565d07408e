/* input.c — the network's inputs in the vendor's words: colours, means and scales, and whether they are legal there. */
#include "formats/horizon/horizon.h"

#include "formats/pixel_affine.h"

#include <string.h>
#include <strings.h>

static const char *const colour_names[] = {"auto", "nv12", "yuv444", "rgb", "bgr", "gray", "featuremap"};

const char *horizon_colour_name(enum horizon_colour colour)
{
    return colour_names[colour];
}

/* What the board may give, for what the network expects: bits of enum horizon_colour. */
static const unsigned legal[] = {
    [HORIZON_YUV444] = 1u << HORIZON_NV12 | 1u << HORIZON_YUV444,
    [HORIZON_RGB] = 1u << HORIZON_NV12 | 1u << HORIZON_YUV444 | 1u << HORIZON_RGB | 1u << HORIZON_BGR,
    [HORIZON_BGR] = 1u << HORIZON_NV12 | 1u << HORIZON_YUV444 | 1u << HORIZON_RGB | 1u << HORIZON_BGR,
    [HORIZON_GRAY] = 1u << HORIZON_GRAY,
    [HORIZON_FEATUREMAP] = 1u << HORIZON_FEATUREMAP,
};

/* --- from preprocessing --- */

static const enum horizon_colour of_pixels[] = {[PIXEL_COLOURS_AS_STORED] = HORIZON_FEATUREMAP,
                                                [PIXEL_GRAY] = HORIZON_GRAY,
                                                [PIXEL_RGB] = HORIZON_RGB,
                                                [PIXEL_BGR] = HORIZON_BGR,
                                                [PIXEL_YUV444] = HORIZON_YUV444};

/* Sizes and places of pixels are the board's own business; colours, means and scales the yaml's. */
static void read_plan(struct horizon_input *input, const struct preprocess_plan *plan)
{
    size_t channels = input->shape->rank == 4 ? (size_t)input->shape->dims[1] : 0;
    struct pixel_affine pixels;
    enum horizon_colour train;

    input->train = HORIZON_FEATUREMAP; /* until it turns out to be a picture */
    if ((channels != 1 && channels != 3) || pixel_affine_read(plan, channels, &pixels) != NULL || plan->n_steps == 0)
        return;
    train = channels == 1 && pixels.colours == PIXEL_COLOURS_AS_STORED ? HORIZON_GRAY : of_pixels[pixels.colours];
    if (train == HORIZON_FEATUREMAP || (train == HORIZON_GRAY) != (channels == 1))
        return;
    input->train = train;
    for (size_t c = 0; c < channels; c++) {
        input->scale[c] = (float)pixels.scale[c];
        input->mean[c] = (float)pixels.mean[c];
        input->is_normalised = input->is_normalised || input->scale[c] != 1 || input->mean[c] != 0;
    }
}

/* --- checks --- */

static int check_colours(const struct horizon *h, const struct horizon_input *input, struct error *err)
{
    bool is_nv12 = input->board == HORIZON_NV12;
    const char *source = horizon_setting(h, "input_source");

    if ((legal[input->train] >> input->board & 1) == 0)
        return error_set(err, EX_UNAVAILABLE, "input \"%s\": input_type_rt %s cannot serve a network of %s inputs%s",
                         input->name, horizon_colour_name(input->board), horizon_colour_name(input->train),
                         input->train == HORIZON_FEATUREMAP
                             ? " (which is what its preprocessing makes it: no colours, or steps that the yaml has no "
                               "words for)"
                             : "");
    if ((is_nv12 || input->board == HORIZON_YUV444) &&
        (input->shape->dims[2] % 2 != 0 || input->shape->dims[3] % 2 != 0))
        return error_set(err, EX_UNAVAILABLE, "input \"%s\": %s needs an even height and width, found %lld x %lld",
                         input->name, horizon_colour_name(input->board), (long long)input->shape->dims[2],
                         (long long)input->shape->dims[3]);
    if ((strcmp(source, "resizer") == 0 || strcmp(source, "pyramid") == 0) && !is_nv12 && input->board != HORIZON_GRAY)
        return error_set(err, EX_UNAVAILABLE,
                         "input \"%s\": input_source %s gives nv12 or gray, found input_type_rt %s", input->name,
                         source, horizon_colour_name(input->board));
    if (!horizon_is(h, "input_space_and_range", "regular") &&
        (!is_nv12 || (input->train != HORIZON_RGB && input->train != HORIZON_BGR)))
        return error_set(err, EX_UNAVAILABLE,
                         "input \"%s\": input_space_and_range is of nv12 for networks of rgb or bgr inputs",
                         input->name);
    return 0;
}

bool horizon_is_listed(const char *list, const char *name)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ";");

        if (strlen(name) == length && strncmp(list, name, length) == 0)
            return true;
        list += length + (list[length] == ';');
    }
    return false;
}

/* Every name of separate_name is that of an input. */
static int check_separate_names(const struct horizon *h, struct error *err)
{
    for (const char *name = horizon_setting(h, "separate_name"); *name != '\0';) {
        size_t length = strcspn(name, ";"), i = 0;

        while (i < h->plan->graph->n_inputs &&
               (strlen(h->inputs[i].name) != length || strncmp(h->inputs[i].name, name, length) != 0))
            i++;
        if (i == h->plan->graph->n_inputs)
            return error_set(err, EX_UNAVAILABLE, "separate_name: the network has no input \"%.*s\"", (int)length,
                             name);
        name += length + (name[length] == ';');
    }
    return 0;
}

static int check_batch(const struct horizon *h, struct error *err)
{
    bool is_alone = horizon_is(h, "input_batch", "1");
    size_t n = h->plan->graph->n_inputs;

    if (horizon_is(h, "separate_batch", "true") && n != 1)
        return error_set(err, EX_UNAVAILABLE, "separate_batch is for networks of one input, found %zu", n);
    if (check_separate_names(h, err) != 0)
        return -1;
    for (size_t i = 0; i < n && !is_alone; i++)
        if (h->inputs[i].board == HORIZON_NV12 && horizon_is(h, "separate_batch", "false") &&
            !horizon_is_listed(horizon_setting(h, "separate_name"), h->inputs[i].name))
            return error_set(err, EX_UNAVAILABLE,
                             "input \"%s\": a batch of nv12 pictures lies at several addresses; set separate_batch or "
                             "separate_name",
                             h->inputs[i].name);
    return 0;
}

/* --- names --- */

/* A copy with "_" for all but letters, digits, "_", "." and "-"; "x" in front where it would begin with a dot. */
static const char *plain_name(struct arena *arena, const char *name, size_t index, struct error *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool is_plain = name[strspn(name, plain)] == '\0' && name[0] != '.' && name[0] != '\0' && strlen(name) < 128;
    char *copy;

    if (is_plain)
        return name;
    copy = arena_format(arena, err, "%.100s_%zu", name, index);
    for (size_t i = 0; copy != NULL && copy[i] != '\0'; i++)
        if (strchr(plain, copy[i]) == NULL || (i == 0 && copy[i] == '.'))
            copy[i] = '_';
    return copy;
}

/* The folder of input `index`: plain, and not an earlier one's on file systems that do not tell case either. */
static const char *choose_folder(const struct horizon *h, size_t index, struct error *err)
{
    const char *wanted = plain_name(h->arena, h->inputs[index].name, index, err), *folder = wanted;
    size_t n = 1;

    for (size_t i = 0; folder != NULL && i < index; i++)
        if (strcasecmp(folder, h->inputs[i].folder) == 0) {
            folder = arena_format(h->arena, err, "%.100s_%zu", wanted, ++n);
            i = (size_t)-1; /* from the first again */
        }
    return folder;
}

int horizon_describe_inputs(struct horizon *h, struct error *err)
{
    const struct graph *graph = h->plan->graph;
    size_t board = 0;

    h->prefix = plain_name(h->arena, h->info->model_name, 0, err);
    h->inputs = arena_create_array(h->arena, graph->n_inputs, sizeof *h->inputs, err);
    if (h->prefix == NULL || h->inputs == NULL)
        return -1;
    while (!horizon_is(h, "input_type_rt", colour_names[board]))
        board++;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        struct horizon_input *input = &h->inputs[i];

        *input = (struct horizon_input){.name = graph->values[graph->inputs[i]].name,
                                        .shape = &graph->values[graph->inputs[i]].shape};
        input->folder = choose_folder(h, i, err);
        if (input->folder == NULL)
            return -1;
        read_plan(input, h->info->preprocess == NULL ? NULL : h->info->preprocess[i]);
        input->board = board == HORIZON_AUTO ? input->train : (enum horizon_colour)board;
        if (graph->n_inputs > 1 && input->train == HORIZON_FEATUREMAP)
            input->board = HORIZON_FEATUREMAP; /* the setting is about the pictures among several inputs */
        if (check_colours(h, input, err) != 0)
            return -1;
    }
    return check_batch(h, err);
}

/* --- nodes that settings name --- */

/* At an edge, or next to nodes that are: those are removed first. */
static bool is_at_edge(const struct graph *graph, size_t index, const char *list)
{
    const struct node *node = &graph->nodes[index];

    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct value *x = node->inputs[i] == GRAPH_NONE ? NULL : &graph->values[node->inputs[i]];

        if (x != NULL && !x->is_constant &&
            (x->producer == GRAPH_NONE || horizon_is_listed(list, graph->nodes[x->producer].name)))
            return true;
    }
    if (graph_is_output(graph, node->outputs[0]))
        return true;
    for (size_t n = index + 1; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] == node->outputs[0] && horizon_is_listed(list, graph->nodes[n].name))
                return true;
    return false;
}

/* Every name of the setting is that of a node; of nodes to be removed, of one at an edge. */
static int check_nodes(const struct horizon *h, const char *setting, struct error *err)
{
    const struct graph *graph = h->plan->graph;
    const char *list = horizon_setting(h, setting);
    bool is_removed = strcmp(setting, "remove_node_name") == 0;

    for (const char *name = list; *name != '\0';) {
        size_t length = strcspn(name, ";"), n = 0;

        while (n < graph->n_nodes &&
               (strlen(graph->nodes[n].name) != length || strncmp(graph->nodes[n].name, name, length) != 0))
            n++;
        if (n == graph->n_nodes)
            return error_set(err, EX_UNAVAILABLE, "%s: no node \"%.*s\" is left after optimisation", setting,
                             (int)length, name);
        if (is_removed && !is_at_edge(graph, n, list))
            return error_set(err, EX_UNAVAILABLE, "%s: node \"%.*s\" (%s) is at no input or output", setting,
                             (int)length, name, graph->nodes[n].type);
        name += length + (name[length] == ';');
    }
    return 0;
}

int horizon_check_nodes(const struct horizon *h, struct error *err)
{
    static const char *const settings[] = {"remove_node_name", "int16_nodes", "float16_nodes"};

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (check_nodes(h, settings[i], err) != 0)
            return -1;
    return 0;
}
