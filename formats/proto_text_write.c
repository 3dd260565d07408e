/* proto_text_write.c — see proto_text_write.h. */
#include "formats/proto_text_write.h"

#include "formats/proto_text.h"

#include "common/memory.h"
#include "common/real_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_writer {
    const ProtobufCFieldDescriptor *omitted;
    char *text;
    size_t size, capacity;
    int rc;
    struct error *err;
};

/* ---- Bytes */

static void append(struct text_writer *w, const char *text, size_t n)
{
    if (w->rc == 0)
        w->rc = memory_grow((void **)&w->text, &w->capacity, w->size + n, 1, "a text", w->err);
    if (w->rc != 0)
        return;
    memcpy(w->text + w->size, text, n);
    w->size += n;
    w->text[w->size] = '\0';
}

/* Of numbers and names of the schema: all of them short. */
__attribute__((format(printf, 2, 3))) static void print(struct text_writer *w, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    append(w, text, strlen(text));
}

static void indent(struct text_writer *w, size_t depth)
{
    while (depth-- > 0)
        append(w, "  ", 2);
}

/* ---- Values */

static void print_bytes(struct text_writer *w, const char *bytes, size_t n)
{
    append(w, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '"' || c == '\\')
            print(w, "\\%c", c);
        else if (c == '\n')
            append(w, "\\n", 2);
        else if (c < ' ' || c >= 0x7f)
            print(w, "\\%03o", c);
        else
            append(w, bytes + i, 1);
    }
    append(w, "\"", 1);
}

static void print_enum(struct text_writer *w, const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);

    if (known != NULL)
        print(w, "%s", known->name);
    else
        print(w, "%d", value);
}

/* One scalar at `at`, as protobuf-c keeps it. */
static void print_scalar(struct text_writer *w, const ProtobufCFieldDescriptor *field, const void *at)
{
    char text[REAL_TEXT_BYTES];
    const ProtobufCBinaryData *bytes;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        print(w, "%" PRId32, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        print(w, "%" PRId64, *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        print(w, "%" PRIu32, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        print(w, "%" PRIu64, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        print(w, "%s", real_text(*(const float *)at, text));
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        print(w, "%.17g", *(const double *)at); /* digits that always suffice */
        break;
    case PROTOBUF_C_TYPE_BOOL:
        print(w, "%s", *(const protobuf_c_boolean *)at ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(w, field->descriptor, *(const int *)at);
        break;
    case PROTOBUF_C_TYPE_STRING:
        print_bytes(w, *(char *const *)at, strlen(*(char *const *)at));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes = at;
        print_bytes(w, (const char *)bytes->data, bytes->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE: /* print_field's business */
        break;
    }
}

/* ---- Messages */

static void print_message(struct text_writer *w, const ProtobufCMessage *message, size_t depth);

static void print_field(struct text_writer *w, const ProtobufCFieldDescriptor *field, const void *at, size_t depth)
{
    indent(w, depth);
    print(w, "%s", field->name);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        append(w, " {\n", 3);
        print_message(w, *(ProtobufCMessage *const *)at, depth + 1);
        indent(w, depth);
        append(w, "}\n", 2);
        return;
    }
    append(w, ": ", 2);
    print_scalar(w, field, at);
    append(w, "\n", 1);
}

/* Strings, bytes and messages that are absent are NULL, or the default's own text. */
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *at = (const char *)message + field->offset;

    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at != NULL && *(const void *const *)at != field->default_value;
    return *(const protobuf_c_boolean *)((const char *)message + field->quantifier_offset) != 0;
}

static void print_message(struct text_writer *w, const ProtobufCMessage *message, size_t depth)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const char *at = (const char *)message + field->offset;

        if (field == w->omitted)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)((const char *)message + field->quantifier_offset);

            for (size_t k = 0; k < n; k++)
                print_field(w, field, *(const char *const *)at + k * proto_text_element_size(field->type), depth);
        } else if (is_set(message, field)) {
            print_field(w, field, at, depth);
        }
    }
}

int proto_text_write(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *omitted, char **text,
                     size_t *size, struct error *err)
{
    struct text_writer w = {.omitted = omitted, .err = err};

    append(&w, "", 0);
    print_message(&w, message, 0);
    if (w.rc != 0) {
        free(w.text);
        return -1;
    }
    *text = w.text;
    *size = w.size;
    return 0;
}
