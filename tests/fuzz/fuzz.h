/* fuzz.h — what a fuzz target provides, and what is asked of every parser.
 *
 * A target is one file, fuzz_<parser>.c, that defines fuzz_parse. It becomes two programs: with libFuzzer (preset
 * `fuzz`), and with a plain driver (driver.c) that replays files and mutates them, with any compiler.
 */
#ifndef ETALON_TESTS_FUZZ_H
#define ETALON_TESTS_FUZZ_H

#include "common/error.h"
#include "formats/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has the parser read data[0..size) as a file of its kind: 0 accepted, -1 with err set. Everything it made is freed. */
int fuzz_parse(const uint8_t *data, size_t size, struct error *err);

/* fuzz_parse, and aborts with a sentence unless the parser kept its promises: a refusal says why, with EX_DATAERR,
 * EX_UNAVAILABLE, EX_NOINPUT or EX_CONFIG; the memory in use never rose by more than 64 times the size plus 64 MiB.
 * Returns whether the input was accepted. */
bool fuzz_check(const uint8_t *data, size_t size);

/* Writes data[0..size) to a file of that name in a folder of this process, and returns its path: borrowed, the same for
 * the same name. Aborts when that fails. The folder goes when the program ends. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* Imports the model file `name` whose content is data[0..size), up to the first NUL where `weights` is the name of a
 * second file that takes the rest. */
int fuzz_import(const char *name, const char *weights, const uint8_t *data, size_t size, struct error *err);

/* A quantized model for `target`: imported as above, and read as the plan that it is, which the simulator is asked to
 * take. Where the target reads numbers into a network, `weights` are those, and `name` is the network. */
int fuzz_quantized(const char *target, const char *name, const char *weights, const uint8_t *data, size_t size,
                   struct error *err);

/* Opens the dataset and reads records of it. */
int fuzz_dataset(const struct dataset_request *request, struct error *err);

/* Bytes allocated at the moment, and the most since the last fuzz_memory_mark. */
size_t fuzz_memory_used(void);
size_t fuzz_memory_peak(void);
void fuzz_memory_mark(void);

#endif
