/* bus_error.h — a mapped file that shrinks, or a disk that fails beneath it, ends the program with a sentence.
 *
 * Reading beyond the end of a mapped file raises SIGBUS, where reading a file would return an error. Nothing can be
 * carried on from there (the fault may lie inside LMDB), but the user can be told which file it was.
 */
#ifndef ETALON_BUS_ERROR_H
#define ETALON_BUS_ERROR_H

#include "common/error.h"

/* From now on SIGBUS prints "<file>: expected ... bytes, found ..." and exits with EX_IOERR; one that no mapped file
 * explains ends the process as ever. EX_OSERR. */
int bus_error_listen(struct error *err);

#endif
