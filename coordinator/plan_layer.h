/* plan_layer.h — a layer with weights, and which of them share a scale; for plan_weights.c.
 *
 * What a weight's code stands for is told in plan.h: the weight, or, in a folded layer, the weight times the scale of
 * the input channel that it meets.
 */
#ifndef ETALON_PLAN_LAYER_H
#define ETALON_PLAN_LAYER_H

#include "common/plan.h"

/* A CONV, DECONV or DENSE. Everything is borrowed from graph and plan. */
struct plan_layer {
    const struct node *node;
    const float *weights, *bias; /* bias may be NULL */
    size_t elements, out_channels;
    size_t n_scales; /* of weights; 0 before plan_weight_jobs */
    /* CONV [O, I/g, kernel] and DENSE [O, I]: */
    size_t row, taps;       /* weights of an output channel, and of one of its input channels */
    size_t inputs, outputs; /* channels per group */
    /* The input's scales: one, or one per input channel; NULL before thresholds. */
    const float *input_scale;
    size_t n_input_scales;
    bool is_folded;
};

/* Weights that share a scale: `runs` stretches of `run` floats, `stride` apart. Rows of CONV and DENSE are one stretch;
 * an output channel of DECONV, whose weights are [I, O/g, kernel], has one in every input channel of its group. */
struct weight_group {
    size_t first, runs, run, stride;
};

bool plan_has_weights(const struct plan *plan, size_t n);
/* Do the weights of layer `n` run over the channels (axis 1) of what it reads? */
bool plan_runs_along_channels(const struct plan *plan, int n);
struct plan_layer plan_layer_of(const struct plan *plan, int n);

/* Does the scale follow from other things, or has a finer search nothing to win? Max-abs stands in for any method then.
 */
bool plan_weights_have_no_choice(const struct profile *profile);

/* Names layer `n` in *err, and the output channel where each has a scale; returns -1. */
int plan_layer_error(const struct plan *plan, int n, size_t channel, struct error *err);

/* The group of scale `i`: output channel i, or everything where there is one scale. */
struct weight_group plan_layer_group(const struct plan_layer *layer, size_t i);
/* What the group's codes stand for, side by side: borrowed where it lies so, else made in *copy, freed by the caller.
 * NULL with EX_OSERR. */
const float *plan_layer_gather(const struct plan_layer *layer, struct weight_group group, float **copy,
                               struct error *err);
void plan_layer_scatter(int16_t *codes, struct weight_group group, const int16_t *from);

/* The input channel (of all, not of a group) that weight `at` of a CONV or DENSE meets. */
size_t plan_layer_input(const struct plan_layer *layer, size_t at);

/* The accumulator's step over the weights' step, for the group of scale `i`: the input's scale, or 1 where folded. */
double plan_layer_input_scale(const struct plan_layer *layer, size_t i);
/* What weights of this input channel (of all, not of a group) have been multiplied by: 1 where not folded. */
double plan_layer_fold(const struct plan_layer *layer, size_t input);

#endif
