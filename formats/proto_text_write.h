/* proto_text_write.h — protobuf-c messages as protobuf's text format (prototxt), driven by their descriptors: the way
 * back from proto_text.h.
 *
 * One field a line, in the order of their numbers, two blanks a level. Optional fields that are not set, and empty
 * lists, are left out. Floats are the shortest text that reads back to the same bits, enumerators their names; in
 * strings, what is neither printable ASCII nor needs care is an octal escape. The same message gives the same text.
 */
#ifndef ETALON_PROTO_TEXT_WRITE_H
#define ETALON_PROTO_TEXT_WRITE_H

#include "common/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* `omitted`: a field that is left out wherever it occurs; NULL: none. *text is terminated, to be freed with free().
 * EX_OSERR. */
int proto_text_write(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *omitted, char **text,
                     size_t *size, struct error *err);

#endif
