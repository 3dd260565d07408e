/* proto.h — the text half of a TNN model: records of tokens, told apart but not yet understood.
 *
 * Every '"' and line feed is dropped, records end at commas, tokens at spaces: there is no escaping.
 */
#ifndef ETALON_TNN_PROTO_H
#define ETALON_TNN_PROTO_H

#include "common/bytes.h"
#include "common/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct tnn_record {
    const char **tokens;
    size_t n;
};

struct tnn_layer {
    const char *type; /* without the prefixes */
    const char *name;
    bool is_quantized; /* int8: its weights are scaled by its input's scale as well */
    bool is_dynamic;   /* only its weights are int8 */
    struct tnn_record inputs, outputs, params;
};

struct tnn_proto {
    uint32_t magic;
    struct tnn_record *inputs; /* name and numbers, each */
    size_t n_inputs;
    struct tnn_record outputs;
    struct tnn_layer *layers; /* execution order */
    size_t n_layers;
};

bool tnn_proto_recognise(const struct bytes *file); /* by magic, in the first record */

/* Reads the text into `proto`, all in `arena`. EX_DATAERR naming the record. */
int tnn_proto_read(const struct bytes *file, struct arena *arena, struct tnn_proto *proto, struct error *err);

/* A 32-bit integer, or a finite number, in full. */
bool tnn_parse_integer(const char *token, int64_t *out);
bool tnn_parse_real(const char *token, float *out);

#endif
