/* simulate_values.c — codes and reals of values, in the order they are kept in; see simulate_private.h. */
#include "worker/simulate_private.h"

#include <string.h>

/* A run of neighbours and its scales: one for all, or one for each. */
struct scaled_run {
    size_t n;
    const float *scales; /* NULL: `scale` */
    float scale;
};

/* The longest run from element `at` on, of at most n. */
static struct scaled_run run_at(const struct sim_value *v, const struct plan_value *p, size_t at, size_t n)
{
    struct scaled_run run = {n, NULL, p->scale[0]};
    size_t left;

    if (p->n_scales == 1)
        return run;
    if (v->is_last) { /* [pixel][channel] */
        left = v->channels - at % v->channels;
        run.scales = p->scale + at % v->channels;
    } else { /* those that share a channel's scale lie together */
        size_t shared = v->elements / p->n_scales;

        left = shared - at % shared;
        run.scale = p->scale[at / shared % p->n_scales];
    }
    run.n = n < left ? n : left;
    return run;
}

void sim_decode(const struct simulator *s, int value, const void *codes, int zero_point, size_t at, size_t n,
                float *reals)
{
    const struct sim_value *v = &s->values[value];

    for (size_t done = 0; done < n;) {
        struct scaled_run run = run_at(v, sim_plan_value(s, value), at + done, n - done);

        sim_dequantize((const char *)codes + (at + done) * sim_code_bytes(v->codes), v->codes, run.n, run.scales,
                       run.scale, zero_point, reals + done);
        done += run.n;
    }
}

static void encode(const struct simulator *s, const struct sim_value *v, const struct plan_value *p, const float *reals,
                   size_t at, size_t n, void *codes)
{
    struct sim_quantizer quantizer = sim_quantizer_of(p, s->plan->profile->activation_rounding);

    for (size_t done = 0; done < n;) {
        struct scaled_run run = run_at(v, p, at + done, n - done);

        quantizer.scales = run.scales;
        quantizer.scale = run.scale;
        sim_quantize(reals + done, run.n, &quantizer, (char *)codes + (at + done) * sim_code_bytes(v->codes));
        done += run.n;
    }
}

void sim_encode(const struct simulator *s, int value, const float *reals, size_t at, size_t n, void *codes)
{
    encode(s, &s->values[value], sim_plan_value(s, value), reals, at, n, codes);
}

void sim_store(struct simulator *s, int value, const float *reals, size_t at, size_t n)
{
    if (sim_is_coded(s->plan, value))
        sim_encode(s, value, reals, at, n, sim_data(s, value));
    else
        sim_store_reals(s->plan->profile, reals, n, (float *)sim_data(s, value) + at);
}

void sim_store_unlowered(struct simulator *s, int value, const float *reals, size_t at, size_t n)
{
    struct plan_value as_it_is = *sim_plan_value(s, value);

    as_it_is.hides_zero_point = false;
    if (sim_is_coded(s->plan, value))
        encode(s, &s->values[value], &as_it_is, reals, at, n, sim_data(s, value));
    else
        sim_store(s, value, reals, at, n);
}

void sim_store_steps(struct simulator *s, int value, const float *steps, size_t at, size_t n)
{
    const struct sim_value *v = &s->values[value];
    struct sim_quantizer quantizer = sim_quantizer_of(sim_plan_value(s, value), s->plan->profile->activation_rounding);

    sim_quantize(steps, n, &quantizer, (char *)sim_data(s, value) + at * sim_code_bytes(v->codes));
}

bool sim_reads_codes(const struct simulator *s, int n, int value)
{
    return sim_plan_value(s, value)->is_quantized && (!s->plan->profile->keeps_reals || s->plan->nodes[n].is_quantized);
}

const float *sim_reals(const struct simulator *s, int n, int value, bool is_lowered, size_t at, size_t count,
                       float *room)
{
    const void *codes = sim_data(s, value);

    if (!sim_reads_codes(s, n, value))
        return (const float *)codes + at;
    if (s->plan->profile->keeps_reals) {
        sim_encode(s, value, (const float *)codes + at, at, count, s->codes);
        codes = s->codes;
    }
    sim_decode(s, value, codes, is_lowered ? sim_plan_value(s, value)->codes.zero_point : 0, at, count, room);
    return room;
}

const void *sim_codes_read(const struct simulator *s, int value)
{
    if (!s->plan->profile->keeps_reals)
        return sim_data(s, value);
    sim_encode(s, value, sim_data(s, value), 0, s->values[value].elements * s->n_records, s->codes);
    return s->codes;
}

/* In squares whose lines stay in the first-level cache. */
#define TURN(type)                                                                                                     \
    static void turn_##type(const type *from, size_t rows, size_t columns, type *to)                                   \
    {                                                                                                                  \
        const size_t side = 32;                                                                                        \
                                                                                                                       \
        for (size_t c0 = 0; c0 < columns; c0 += side)                                                                  \
            for (size_t r0 = 0; r0 < rows; r0 += side)                                                                 \
                for (size_t c = c0; c < columns && c < c0 + side; c++)                                                 \
                    for (size_t r = r0; r < rows && r < r0 + side; r++)                                                \
                        to[c * rows + r] = from[r * columns + c];                                                      \
    }

TURN(uint8_t)
TURN(int16_t)
TURN(float)

void sim_turn(const void *from, size_t records, size_t rows, size_t columns, size_t item, void *to)
{
    size_t bytes = rows * columns * item;

    for (size_t r = 0; r < records; r++) {
        const char *source = (const char *)from + r * bytes;
        char *target = (char *)to + r * bytes;

        if (rows == 1 || columns == 1)
            memcpy(target, source, bytes);
        else if (item == sizeof(uint8_t))
            turn_uint8_t((const uint8_t *)source, rows, columns, (uint8_t *)target);
        else if (item == sizeof(int16_t))
            turn_int16_t((const int16_t *)source, rows, columns, (int16_t *)target);
        else
            turn_float((const float *)source, rows, columns, (float *)target);
    }
}
