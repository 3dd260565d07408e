/* module.h — a network as the source of a PyTorch module, and its state_dict. Private to formats/cambricon.
 *
 * The vendor traces a module: a state_dict alone cannot be compiled. The source keeps to operators of PyTorch 1.3,
 * which is what the vendor's image has. Layers with weights that the vendor's tool swaps for quantized ones (Conv1d,
 * Conv2d, Linear) are modules under a name made of the node's; other constants are buffers.
 */
#ifndef ETALON_CAMBRICON_MODULE_H
#define ETALON_CAMBRICON_MODULE_H

#include "common/plan.h"
#include "formats/torch/torch.h"

struct module {
    const struct graph *graph; /* borrowed */
    struct arena *arena;
    struct error err; /* code 0: nothing failed yet; what follows a failure puts nothing */
    FILE *init, *forward;
    char *init_text, *forward_text; /* what they hold, once the module is finished */
    size_t init_size, forward_size;
    void *names; /* tree of the identifiers taken, in `names_of_modules` those of members of self */
    void *members;
    const char **variables; /* [n_values] local names; NULL: not computed yet */
    const char **layers;    /* [n_nodes] members that are modules with weights; NULL: none */
    struct torch_tensor *state;
    size_t n_state, state_capacity;
    const struct node *node; /* being written */
};

/* Writes every node. To be released with module_fini even on failure. EX_UNAVAILABLE naming a node that PyTorch 1.3 has
 * no operator for. */
int module_init(struct module *m, const struct graph *graph, struct error *err);
void module_fini(struct module *m);
/* The whole source, with class Net; to be freed with free(). */
int module_source(const struct module *m, char **text, size_t *size, struct error *err);

/* --- for the operators of module_ops.c --- */

void module_cannot(struct module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of forward or __init__. */
void module_line(struct module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
void module_member(struct module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name for a member of self, made of the node's. "" after a failure. */
const char *module_name_layer(struct module *m);
/* An entry <layer>.<what> of the state_dict; borrows the data of a constant. */
void module_weight(struct module *m, const char *layer, const char *what, int constant);
/* What an expression calls a value: a local variable, or self.<buffer> for a constant. "" after a failure. */
const char *module_value(struct module *m, int value);
/* Assigns the node's (only) output. */
const char *module_target(struct module *m);

/* One function an operator; NULL: none. */
typedef void module_op(struct module *m);
extern module_op *const module_ops[OP_COUNT];
/* `<target> = <its fused activation>(<target>)`, if there is one. */
void module_fused(struct module *m, struct activation a, const char *variable);

#endif
