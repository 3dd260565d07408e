/* elements.h — numbers of any type and byte order, as files hold them, become a record.
 */
#ifndef ETALON_ELEMENTS_H
#define ETALON_ELEMENTS_H

#include "formats/element_type.h"
#include "formats/record.h"

/* The element at `at`, of `size` <= 8 bytes. */
uint64_t element_bits(const uint8_t *at, size_t size, bool is_big_endian);

/* One dense array. */
struct elements {
    const struct element_type *type;
    bool is_big_endian;
    bool is_fortran; /* the first dim varies fastest */
    struct shape shape;
};

/* Number of elements of one record. EX_DATAERR: none, or more than RECORD_MAX_ELEMENTS, or a dim below 0. */
int elements_count(const struct shape *shape, size_t *n, struct error *err);

/* Sets the dims, layout and order of *record, and makes room. Of the shape the last two dims are height and width and
 * all before them channels; with request->is_interleaved the last one is channels. A shape of one dim is that many
 * channels of one pixel. request->order says what channels are, else one channel is gray and more are a tensor. uint8
 * stays bytes, everything else becomes floats. EX_DATAERR. */
int elements_reserve(const struct elements *elements, const struct dataset_request *request, struct record *record,
                     struct error *err);

/* Reserves, and fills the pixels from data[0..size). EX_DATAERR: `size` is not what shape and type need. */
int elements_to_record(const struct elements *elements, const struct dataset_request *request, const uint8_t *data,
                       size_t size, struct record *record, struct error *err);

#endif
