/* datum_write.c — Datum messages as Caffe writes them; see datum.h. Apart from the reader, which needs image decoders.
 */
#include "formats/proto_wire.h"
#include "formats/records/datum.h"

#include <string.h>

enum { FLOAT_BYTES = 1 + sizeof(float) }; /* of float_data: each value behind its own tag */

size_t datum_bound(const struct datum *datum)
{
    return datum->size + datum->n_values * FLOAT_BYTES +
           6 * (1 + 10); /* six tags of one byte, each with a varint of at most ten */
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_integer(uint8_t *to, unsigned number, int64_t value)
{
    return put_varint(put_varint(to, number << 3 | WIRE_VARINT), (uint64_t)value);
}

static uint8_t *put_float(uint8_t *to, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    *to++ = FIELD_FLOAT_DATA << 3 | WIRE_32BIT;
    for (int i = 0; i < 4; i++) /* little-endian, whatever this machine is */
        *to++ = (uint8_t)(bits >> (8 * i));
    return to;
}

size_t datum_write(const struct datum *datum, const float *values, uint8_t *message)
{
    bool is_image = datum->n_values == 0;
    uint8_t *to = message;

    if (datum->channels > 0)
        to = put_integer(to, FIELD_CHANNELS, datum->channels);
    if (datum->height > 0)
        to = put_integer(to, FIELD_HEIGHT, datum->height);
    if (datum->width > 0)
        to = put_integer(to, FIELD_WIDTH, datum->width);
    if (is_image) {
        to = put_varint(put_varint(to, FIELD_DATA << 3 | WIRE_LENGTH), datum->size);
        if (datum->size > 0)
            memcpy(to, datum->data, datum->size);
        to += datum->size;
    }
    to = put_integer(to, FIELD_LABEL, datum->label);
    for (size_t i = 0; i < datum->n_values; i++)
        to = put_float(to, values[i]);
    if (is_image)
        to = put_integer(to, FIELD_ENCODED, datum->is_encoded);
    return (size_t)(to - message);
}
