/* source.c — how the verbs of `etalon dataset` are told what to read; see dataset.h. */
#include "jobs/dataset/dataset.h"

#include "common/suggest.h"
#include "formats/records/elements.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int dataset_number(const char *option, const char *text, uint64_t *value, struct error *err)
{
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return error_set(err, EX_USAGE, "--%s: expected a whole number, found \"%s\"", option, text);
    return 0;
}

static const char *guess_kind(const char *path, struct error *err)
{
    const char *kind = dataset_recognise(path);
    struct stat info;

    if (kind != NULL)
        return kind;
    if (stat(path, &info) != 0) {
        error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", path, strerror(errno));
        return NULL;
    }
    error_set(err, EX_USAGE, "%s: what kind of dataset is it? Say so with --kind", path);
    return NULL;
}

/* The place of a word among n; NULL text leaves *index alone. */
static int read_word(const char *option, const char *text, const char *const *words, size_t n, size_t *index,
                     struct error *err)
{
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(words[i], text) == 0) {
            *index = i;
            return 0;
        }
    return text == NULL ? 0
                        : error_set(err, EX_USAGE, "--%s: \"%s\" does not exist; the nearest is \"%s\"", option, text,
                                    suggest_nearest(text, words, n, sizeof *words));
}

static int read_array(const struct dataset_source *source, struct dataset_request *request, struct error *err)
{
    size_t layout = 0, order = DATASET_ORDERS;

    if (source->shape != NULL && !options_shape(source->shape, &request->shape))
        return error_set(err, EX_USAGE, "--shape: expected dims such as 3x224x224, found \"%s\"", source->shape);
    if (source->dtype != NULL && (request->dtype = element_type_find(source->dtype, err)) == NULL) {
        if (err != NULL)
            err->code = EX_USAGE; /* the word is not a job's */
        return error_in(err, "--dtype");
    }
    if (read_word("layout", source->layout, dataset_layouts, DATASET_LAYOUTS, &layout, err) != 0 ||
        read_word("channels", source->channels, dataset_orders, DATASET_ORDERS, &order, err) != 0)
        return -1;
    request->is_interleaved = layout == 1;
    request->order = order < DATASET_ORDERS ? dataset_order_values[order] : PIXELS_NONE;
    return 0;
}

int dataset_source_request(const struct dataset_source *source, const char *path, struct dataset_request *request,
                           struct error *err)
{
    *request = (struct dataset_request){.kind = source->kind, .path = path, .list = source->list};
    if (dataset_number("limit", source->limit, &request->limit, err) != 0 || read_array(source, request, err) != 0)
        return -1;
    if (request->kind == NULL && (request->kind = guess_kind(path, err)) == NULL)
        return -1;
    if (dataset_needs_shape(request)) /* a job would take that of the network's input */
        return error_set(err, EX_USAGE, "%s: a dataset of kind \"%s\" needs --shape", path, request->kind);
    return 0;
}
