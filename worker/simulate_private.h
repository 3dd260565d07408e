/* simulate_private.h — shared by the files of the simulator. */
#ifndef ETALON_SIMULATE_PRIVATE_H
#define ETALON_SIMULATE_PRIVATE_H

#include "worker/int_gemm.h"
#include "worker/simulate.h"

/* Where a value lives while it is alive: codes relative to real zero, or floats; plain row-major, batch x elements. */
struct sim_value {
    size_t elements; /* of one record */
    size_t slot;     /* index into slots; (size_t)-1 for constants */
    int last_use;    /* node index; INT_MAX for graph outputs */
    bool is_alive;
};

struct sim_slot {
    void *memory;
    size_t bytes;
    bool is_free;
};

struct sim_conv; /* packed weights and scratch of one CONV or DENSE */

struct simulator {
    const struct plan *plan;
    size_t batch, n_records;
    struct sim_value *values; /* [n_values] */
    struct sim_slot *slots;
    size_t n_slots, slots_capacity;
    struct sim_conv **convs; /* [n_nodes]; NULL where the node is not computed on integers */
    const float **inputs;    /* [most inputs of a node]: reals of the node at hand */
    float *scratch;          /* those of them that had to be dequantized, one after the other */
    int16_t *codes;          /* what one quantized node reads, where values are kept as reals */
    float **halves;          /* [n_values] constants rounded to half precision, where float nodes compute in it */
    float *result, *view;    /* one float output before it is quantized; what simulator_value returns */
};

static inline const struct plan_value *sim_plan_value(const struct simulator *s, int value)
{
    return &s->plan->values[value];
}
/* Codes or floats of a living value. */
static inline void *sim_data(const struct simulator *s, int value)
{
    return s->slots[s->values[value].slot].memory;
}

/* Is the value kept as codes? Otherwise as reals, of which a quantized node may make codes for itself. */
static inline bool sim_is_coded(const struct plan *plan, int value)
{
    return plan->values[value].is_quantized && !plan->profile->keeps_reals;
}

/* Is this node computed on integers by simulate_conv.c? */
bool sim_conv_applies(const struct plan *plan, int node);
struct sim_conv *sim_conv_create(const struct plan *plan, int node, struct error *err);
void sim_conv_destroy(struct sim_conv *conv);
/* codes in: plain NCHW (or N x K); out: codes, or floats where the output stays in float. */
void sim_conv_run(struct sim_conv *conv, const int16_t *input, void *output, size_t n_records);

/* Does this node bring each of its operands to the output's steps by integers? Then these are the operand's. */
bool sim_operands_apply(const struct plan *plan, int node);
void sim_operand_steps(const struct simulator *simulator, int value, int output, float *steps);

/* To the nearest half-precision number, ties to even; beyond 65,519.99 it is infinite. */
void sim_round_to_half(float *x, size_t n);
/* Reals as the profile's float type has them. */
void sim_store_reals(const struct profile *profile, const float *from, size_t n, float *to);
/* Codes of a value, relative to real zero. Where it hides its zero point, x lies lower by that, and is rounded there.
 */
void sim_value_codes(const float *x, size_t n, float scale, const struct plan_value *value, enum rounding rounding,
                     int16_t *out);
/* Codes of x[i] / scale relative to real zero: rounded, saturated; NaN gives 0. Every machine gives the same. */
void sim_codes(const float *x, size_t n, float scale, struct code_range codes, enum rounding rounding, int16_t *out);

#endif
