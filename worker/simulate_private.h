/* simulate_private.h — shared by the files of the simulator. */
#ifndef ETALON_SIMULATE_PRIVATE_H
#define ETALON_SIMULATE_PRIVATE_H

#include "common/requantize.h"
#include "worker/int_gemm.h"
#include "worker/simulate.h"

/* Codes relative to real zero. Where the range has at most 256 of them, real zero included, they are kept as bytes. */
struct sim_codes {
    bool are_bytes;  /* code - lowest; else int16, as they are */
    int lowest, all; /* the lowest code, and how many there are */
};

/* Where a value lives while it is alive: codes or floats, batch x elements. What convolutions make has its channels
 * last, [record][pixel][channel], and keeps this order as long as nodes can work in it; all else is plain row-major. */
struct sim_value {
    size_t elements; /* of one record: images x channels x pixels; one image but in unbatched graphs */
    size_t images, channels, pixels;
    bool is_last; /* where the orders differ */
    struct sim_codes codes;
    size_t slot;  /* index into slots; (size_t)-1 for constants */
    int last_use; /* node index; INT_MAX for graph outputs */
    bool is_alive;
};

struct sim_slot {
    void *memory;
    size_t bytes;
    bool is_free;
};

struct sim_conv; /* packed weights and windows of one CONV, DECONV or DENSE */

/* A block of output pixels by a panel of output channels, on their way from sums to codes: one a simulator, so that it
 * stays in cache from layer to layer. */
enum {
    SIM_BLOCK = 96, /* pixels: a multiple of both kernels' rows; 96 x 4,608 B of patches stay in a 1 MiB L2 */
    SIM_HALVES = 2, /* of a weight of 16 bits: 256 x high + low, of 9 and 8 bits with their signs */
};
struct sim_tile {
    int32_t sums[SIM_HALVES][SIM_BLOCK * INT_GEMM_PANEL];
    int64_t wide_sums[SIM_BLOCK * INT_GEMM_PANEL]; /* where weights or inputs have 16 bits */
    float steps[SIM_BLOCK * INT_GEMM_PANEL];
};

struct simulator {
    const struct plan *plan;
    const bool *part; /* [n_nodes] those that it runs; NULL: all */
    size_t batch, n_records;
    struct sim_value *values; /* [n_values] */
    struct sim_slot *slots;
    size_t n_slots, slots_capacity;
    struct sim_conv **convs; /* [n_nodes]; NULL where the node is not computed on integers */
    struct sim_tile *tile;
    const float **inputs; /* [most inputs of a node]: reals of the node at hand, plain */
    float *scratch;       /* those of them that are not kept so, one after the other */
    void *codes;          /* what one quantized node reads, where values are kept as reals */
    float **halves;       /* [n_values] constants rounded to half precision, where float nodes compute in it */
    float *result;        /* one float output before it is stored */
    float *view;          /* what simulator_value returns; also a value before its order changes */
    double *sums;         /* [most channels of a value] */
    int16_t *code_view;   /* what simulator_codes returns; NULL until it is asked */
};

static inline const struct plan_value *sim_plan_value(const struct simulator *s, int value)
{
    return &s->plan->values[value];
}
static inline bool sim_runs(const struct simulator *s, size_t node)
{
    return s->part == NULL || s->part[node];
}
/* Is there room for it: does any node that runs read or make it? */
static inline bool sim_has_slot(const struct simulator *s, int value)
{
    return s->values[value].slot != (size_t)-1;
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

/* Are plain order and channels last the same for it? */
static inline bool sim_has_one_order(const struct sim_value *v)
{
    return v->channels == 1 || v->pixels == 1;
}

struct sim_codes sim_codes_of(const struct plan_value *value);
static inline size_t sim_code_bytes(struct sim_codes codes)
{
    return codes.are_bytes ? sizeof(uint8_t) : sizeof(int16_t);
}

/* ---- simulate_memory.c ---- */

/* Fills s->values and makes all memory that nodes share, for s->batch records. EX_OSERR. */
int sim_plan_memory(struct simulator *s, struct error *err);
/* The constants that nodes in float read, as half precision has them. EX_OSERR. */
int sim_round_constants(struct simulator *s, struct error *err);
/* What node `n` read or made for the last time is no longer alive; while memory is planned its slots become free. */
void sim_release_after(struct simulator *s, int n, bool planning);

/* ---- simulate_values.c: codes and reals of a value, in the order it is kept in ---- */

/* Does node `n` see the codes of a value: those that are kept, or that it makes of reals for itself? */
bool sim_reads_codes(const struct simulator *s, int n, int value);
/* Elements [at, at + n) of all records. `codes` are the value's, from its first element on; zero_point is added to them
 * (0, or what the value hides). */
void sim_decode(const struct simulator *s, int value, const void *codes, int zero_point, size_t at, size_t n,
                float *reals);
/* Reals of these elements, as codes; where the value hides its zero point they are lower by that. */
void sim_encode(const struct simulator *s, int value, const float *reals, size_t at, size_t n, void *codes);
/* Reals of these elements into the slot, as it keeps them. */
void sim_store(struct simulator *s, int value, const float *reals, size_t at, size_t n);
/* The same of reals that no hidden zero point lowers: fp32's. */
void sim_store_unlowered(struct simulator *s, int value, const float *reals, size_t at, size_t n);
/* These elements as node `n` sees them; is_lowered: hidden zero points stay in. Points into the value or to `room`. */
const float *sim_reals(const struct simulator *s, int n, int value, bool is_lowered, size_t at, size_t count,
                       float *room);
/* All codes as a node that reads codes finds them; until the next call where reals are kept. */
const void *sim_codes_read(const struct simulator *s, int value);
/* Of a value with one scale: whole steps, already rounded. */
void sim_store_steps(struct simulator *s, int value, const float *steps, size_t at, size_t n);

/* Turns [records][rows][columns] of items of 1, 2 or 4 bytes into [records][columns][rows]. */
void sim_turn(const void *from, size_t records, size_t rows, size_t columns, size_t item, void *to);

/* ---- simulate_order.c: nodes without weights that work on values with channels last ---- */

/* Can the node compute on its inputs in the order they are kept in? `values` says it of them. */
bool sim_keeps_order(const struct plan *plan, const struct sim_value *values, int node);
/* Then its output is kept in this one. */
bool sim_order_is_last(const struct plan *plan, const struct sim_value *values, int node);
void sim_run_in_order(struct simulator *s, int node);

/* ---- simulate_conv.c ---- */

/* Is this node computed on integers by simulate_conv.c? */
bool sim_conv_applies(const struct plan *plan, int node);
/* EX_UNAVAILABLE: accumulators beyond 32 bits. */
int sim_conv_check(const struct plan *plan, int node, struct error *err);
/* Of a simulator whose memory is planned. */
struct sim_conv *sim_conv_create(struct simulator *s, int node, struct error *err);
void sim_conv_destroy(struct sim_conv *conv);
/* in: codes in the order of the input value, plain for a dense layer; out: codes or floats, channels last. n_images:
 * of all records. */
void sim_conv_run(struct sim_conv *conv, const void *input, void *output, size_t n_images);

/* ---- simulate_operands.c ---- */

/* Does this node bring each of its operands to the output's steps by integers? */
bool sim_operands_apply(const struct plan *plan, int node);
struct sim_operand {
    struct sim_codes codes;
    const void *data;
    struct multiplier multiplier;
    enum rounding rounding;
    float of_byte[UINT8_MAX + 1]; /* steps of every code, where these are bytes */
};
struct sim_operand sim_operand_of(const struct simulator *s, int node, size_t input);
/* Of elements [at, at + n). */
void sim_operand_steps(const struct sim_operand *operand, size_t at, size_t n, float *steps);

/* ---- simulate_add.c ---- */

/* Is this node an ADD of codes by ratios? */
bool sim_adds_codes(const struct plan *plan, int node);
struct sim_sum { /* of a and b */
    float per_step[2], zero[2], ratio[2], fixed, zero_out;
};
struct sim_sum sim_sum_of(const struct plan *plan, int node);
/* Of the reals of a and b, whole steps of the output, rounded. */
void sim_sum_steps(const struct sim_sum *sum, const float *a, const float *b, size_t n, float *steps);

/* ---- simulate_codes.c ---- */

/* activation_apply for every x, in place. */
void sim_activate(struct activation activation, float *x, size_t n);
/* To the nearest half-precision number, ties to even; beyond 65,519.99 it is infinite. */
void sim_round_to_half(float *x, size_t n);
/* Reals as the profile's float type has them. */
void sim_store_reals(const struct profile *profile, const float *from, size_t n, float *to);
/* How x[0..n) becomes codes relative to real zero: x / scale, rounded, saturated; NaN gives 0. Every machine gives the
 * same. */
struct sim_quantizer {
    const float *scales; /* [n]; NULL: `scale` for all */
    float scale;
    enum rounding rounding;
    int lo, hi;  /* relative to what x counts from */
    int lowered; /* added to the code once it is rounded: what a hidden zero point makes of it */
    struct sim_codes codes;
};
void sim_quantize(const float *x, size_t n, const struct sim_quantizer *quantizer, void *out);
struct sim_rows { /* strides in items; every row has the quantizer's scales */
    const float *x;
    void *out;
    size_t n, length, x_stride, out_stride;
};
void sim_quantize_rows(struct sim_rows rows, const struct sim_quantizer *quantizer);
/* For all of a value but its scale. */
struct sim_quantizer sim_quantizer_of(const struct plan_value *value, enum rounding rounding);
/* scale x (code + zero_point). scales: [n], or NULL: `scale` for all. */
void sim_dequantize(const void *codes, struct sim_codes kind, size_t n, const float *scales, float scale,
                    int zero_point, float *out);

#endif
