/* integers.c — see integers.h. */
#include "formats/caffe/integers.h"

#include "formats/caffe/weights_private.h"

#include <math.h>
#include <string.h>

/* Of LayerParameter. Steps: scaleConvertBackToFloat_*_mul, or thresholds, of 127 steps. */
enum {
    LAYER_INPUT_IS_UNSIGNED = 13,
    LAYER_OUTPUT_IS_UNSIGNED = 14,
    LAYER_INPUT_THRESHOLDS = 19,
    LAYER_OUTPUT_THRESHOLDS = 20,
    LAYER_OPERAND_MULTIPLIERS = 21,
    LAYER_OPERAND_SHIFTS = 22,
    LAYER_INPUT_STEPS = 25,
    LAYER_OUTPUT_STEPS = 26,
    LAYER_IS_FLOAT = 33,
    LAYER_IS_PER_CHANNEL = 500,
    BLOB_SCALE_PER_CHANNEL = 24,
    BLOB_IS_PER_CHANNEL = 25,
};

enum { STEPS = 127, LARGEST_SHIFT = 31, LARGEST_MULTIPLIER = 127, LARGEST_INTEGER = 1 << 22 };

/* ---- Of a file */

bool caffe_weights_hold_integers(const struct caffe_weights *weights)
{
    struct wire_field field;
    struct error unused;

    for (size_t i = 0; i < weights->n_layers; i++)
        for (size_t k = 0; k < weights->layers[i].n_blobs; k++) {
            struct wire blob = weights->layers[i].blobs[k];

            while (wire_next(&blob, &field, &unused) > 0)
                if (field.number == CAFFE_BLOB_INTEGERS)
                    return true;
        }
    return false;
}

/* ---- Of a layer */

/* A list of numbers, in one packed run or in fields of their own; varints, or the bits of floats. */
struct list {
    size_t n;
    uint64_t *items;
};

static int count_items(const struct wire_field *field, bool is_float, size_t *n, struct error *err)
{
    struct wire run = field->contents;
    uint64_t ignored;

    if (field->type == (is_float ? WIRE_32BIT : WIRE_VARINT)) {
        (*n)++;
        return 0;
    }
    if (field->type != WIRE_LENGTH || (is_float && (run.end - run.at) % (ptrdiff_t)sizeof(float) != 0))
        return error_set(err, EX_DATAERR, "field %u is no list of numbers", (unsigned)field->number);
    if (is_float)
        *n += (size_t)(run.end - run.at) / sizeof(float);
    while (!is_float && run.at < run.end) {
        if (wire_varint(&run, &ignored, err) < 0)
            return -1;
        (*n)++;
    }
    return 0;
}

static void take_items(const struct wire_field *field, bool is_float, struct list *list)
{
    struct wire run = field->contents;
    struct error unused;

    if (field->type != WIRE_LENGTH)
        list->items[list->n++] = field->integer;
    while (field->type == WIRE_LENGTH && run.at < run.end && !is_float)
        wire_varint(&run, &list->items[list->n++], &unused);
    for (; field->type == WIRE_LENGTH && is_float && run.at < run.end; run.at += sizeof(float)) {
        uint32_t bits;

        memcpy(&bits, run.at, sizeof bits);
        list->items[list->n++] = bits;
    }
}

static int read_list(struct wire message, uint32_t number, bool is_float, struct arena *arena, struct list *list,
                     struct error *err)
{
    struct wire rest = message;
    struct wire_field field;
    size_t n = 0;

    *list = (struct list){0};
    while (wire_next(&rest, &field, err) > 0) /* of fields that have been walked */
        if (field.number == number && count_items(&field, is_float, &n, err) < 0)
            return -1;
    list->items = n == 0 ? NULL : arena_create_array(arena, n, sizeof *list->items, err);
    if (n > 0 && list->items == NULL)
        return -1;
    for (rest = message; n > 0 && wire_next(&rest, &field, err) > 0;)
        if (field.number == number)
            take_items(&field, is_float, list);
    return 0;
}

static float as_float(uint64_t item)
{
    uint32_t bits = (uint32_t)item;
    float number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

/* The steps themselves, or where there are none those of the thresholds. */
static int read_steps(struct wire message, uint32_t steps, uint32_t thresholds, struct arena *arena, size_t *n,
                      const float **out, struct error *err)
{
    struct list list;
    float divisor = 1, *numbers;

    if (read_list(message, steps, true, arena, &list, err) < 0)
        return -1;
    if (list.n == 0) {
        divisor = STEPS;
        if (read_list(message, thresholds, true, arena, &list, err) < 0)
            return -1;
    }
    numbers = list.n == 0 ? NULL : arena_create_array(arena, list.n, sizeof *numbers, err);
    if (list.n > 0 && numbers == NULL)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        numbers[i] = as_float(list.items[i]) / divisor;
        if (!(numbers[i] >= 0) || isinf(numbers[i] * STEPS))
            return error_set(err, EX_DATAERR, "threshold or step %zu is %g", i, (double)as_float(list.items[i]));
    }
    *n = list.n;
    *out = numbers;
    return 0;
}

static int read_operands(struct wire message, struct arena *arena, struct caffe_layer_codes *out, struct error *err)
{
    struct list multipliers, shifts;
    struct multiplier *operands;

    if (read_list(message, LAYER_OPERAND_MULTIPLIERS, false, arena, &multipliers, err) < 0 ||
        read_list(message, LAYER_OPERAND_SHIFTS, false, arena, &shifts, err) < 0)
        return -1;
    if (multipliers.n != shifts.n)
        return error_set(err, EX_DATAERR, "%zu multipliers of operands, but %zu shifts", multipliers.n, shifts.n);
    operands = multipliers.n == 0 ? NULL : arena_create_array(arena, multipliers.n, sizeof *operands, err);
    if (multipliers.n > 0 && operands == NULL)
        return -1;
    for (size_t i = 0; i < multipliers.n; i++) {
        if (multipliers.items[i] > LARGEST_MULTIPLIER || shifts.items[i] > LARGEST_SHIFT)
            return error_set(err, EX_DATAERR,
                             "operand %zu: expected a multiplier to %d and a shift to %d, found %llu "
                             "and %llu",
                             i, LARGEST_MULTIPLIER, LARGEST_SHIFT, (unsigned long long)multipliers.items[i],
                             (unsigned long long)shifts.items[i]);
        operands[i] = (struct multiplier){(int32_t)multipliers.items[i], (int)shifts.items[i]};
    }
    out->n_operands = multipliers.n;
    out->operands = operands;
    return 0;
}

static int read_flag(const struct wire_field *field, struct caffe_layer_codes *out, struct error *err)
{
    bool is_set = field->type == WIRE_VARINT && field->integer != 0;

    switch (field->number) {
    case LAYER_IS_FLOAT:
        out->is_float = is_set;
        return 0;
    case LAYER_INPUT_IS_UNSIGNED:
    case LAYER_OUTPUT_IS_UNSIGNED:
        return is_set ? error_set(err, EX_UNAVAILABLE, "it has unsigned codes, which a BM1684 does not") : 0;
    case LAYER_IS_PER_CHANNEL:
        return is_set ? error_set(err, EX_UNAVAILABLE, "shifts per channel are not supported") : 0;
    default:
        return 0;
    }
}

static int read_codes(struct wire message, struct arena *arena, struct caffe_layer_codes *out, struct error *err)
{
    struct wire_field field;
    struct wire rest = message;

    out->is_listed = true;
    while (wire_next(&rest, &field, err) > 0) /* read whole when the file was opened */
        if (read_flag(&field, out, err) < 0)
            return -1;
    if (read_steps(message, LAYER_INPUT_STEPS, LAYER_INPUT_THRESHOLDS, arena, &out->n_inputs, &out->input, err) < 0 ||
        read_steps(message, LAYER_OUTPUT_STEPS, LAYER_OUTPUT_THRESHOLDS, arena, &out->n_outputs, &out->output, err) < 0)
        return -1;
    return read_operands(message, arena, out, err);
}

const struct caffe_layer_codes *caffe_layer_codes(struct caffe_weights *weights, const char *layer, struct arena *arena,
                                                  struct error *err)
{
    static const struct caffe_layer_codes none;
    struct caffe_layer_weights *found = caffe_weights_lookup(weights, layer);
    struct caffe_layer_codes *codes;

    if (found == NULL)
        return &none;
    if (found->codes != NULL)
        return found->codes;
    codes = arena_create_array(arena, 1, sizeof *codes, err);
    if (codes == NULL)
        return NULL;
    if (read_codes(found->message, arena, codes, err) < 0) {
        error_in(err, "%s", weights->path);
        return NULL;
    }
    found->codes = codes;
    return codes;
}

/* ---- Of a blob */

bool caffe_blob_is_coded(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index)
{
    struct caffe_blob_facts blob;
    struct error unused;

    return caffe_blob_find(weights, layer, index, &blob, &unused) == 0 && blob.n_integers > 0 &&
           blob.n_floats + blob.n_doubles == 0;
}

int caffe_blob_shift(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                     int *shift, struct error *err)
{
    struct caffe_blob_facts blob;

    if (caffe_blob_find(weights, layer, index, &blob, err) < 0)
        return -1;
    if (blob.right_shift == CAFFE_NO_SHIFT)
        error_set(err, EX_DATAERR, "it holds integers, but no right shift");
    else if (blob.right_shift < 0 || blob.right_shift > LARGEST_SHIFT)
        error_set(err, EX_DATAERR, "expected a right shift of 0 to %d, found %lld", LARGEST_SHIFT,
                  (long long)blob.right_shift);
    else {
        *shift = (int)blob.right_shift;
        return 0;
    }
    return caffe_blob_error(weights, index, err);
}

/* One scale a blob is all that a shift allows. */
static int check_one_scale(struct wire blob, struct error *err)
{
    struct wire_field field;

    while (wire_next(&blob, &field, err) > 0)
        if (field.number == BLOB_SCALE_PER_CHANNEL || (field.number == BLOB_IS_PER_CHANNEL && field.integer != 0))
            return error_set(err, EX_UNAVAILABLE, "scales per channel are not supported");
    return 0;
}

/* As many as caffe_blob_find has counted. */
static int take_integers(struct wire blob, float step, float *to, struct error *err)
{
    struct wire_field field;
    struct error unused;

    while (wire_next(&blob, &field, &unused) > 0) {
        struct wire run = field.contents;

        if (field.number != CAFFE_BLOB_INTEGERS)
            continue;
        for (bool is_first = true; field.type == WIRE_LENGTH ? run.at < run.end : is_first; is_first = false) {
            uint64_t bits = field.integer;
            int64_t code;

            if (field.type == WIRE_LENGTH)
                wire_varint(&run, &bits, &unused);
            code = caffe_zigzag(bits);
            if (code > LARGEST_INTEGER || code < -LARGEST_INTEGER)
                return error_set(err, EX_UNAVAILABLE, "integer %lld has more than 22 bits", (long long)code);
            *to++ = (float)code * step;
        }
    }
    return 0;
}

int caffe_blob_read_coded(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                          const struct shape *expected, float step, struct arena *arena, const float **values,
                          struct error *err)
{
    struct caffe_blob_facts blob;
    float *numbers;

    if (caffe_blob_find(weights, layer, index, &blob, err) < 0)
        return -1;
    if (caffe_blob_check(&blob, expected, blob.n_integers, "integers", err) < 0 ||
        check_one_scale(layer->blobs[index], err) < 0)
        return caffe_blob_error(weights, index, err);
    numbers = arena_create_array(arena, (size_t)shape_elements(expected), sizeof *numbers, err);
    if (numbers == NULL)
        return -1;
    if (take_integers(layer->blobs[index], step, numbers, err) < 0)
        return caffe_blob_error(weights, index, err);
    *values = numbers;
    return 0;
}
