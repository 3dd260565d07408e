/* digest.h — XXH3-64 of stored records, at the rate at which memory is read.
 */
#ifndef ETALON_RECORD_DIGEST_H
#define ETALON_RECORD_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* The same number on every machine. */
uint64_t record_digest(const void *bytes, size_t size);

#endif
