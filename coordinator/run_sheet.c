/* run_sheet.c — a picture of what a job's network is given; see run.h. */
#include "coordinator/run_private.h"

#include "common/memory.h"
#include "common/output.h"
#include "common/printable.h"
#include "worker/contact_sheet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first input that is a picture. */
static int find_picture(const struct run *run, size_t *input, struct error *err)
{
    for (size_t i = 0; i < run->graph->n_inputs; i++)
        if (run->inputs[i].shape.rank == 3) {
            *input = i;
            return 0;
        }
    return error_set(err, EX_UNAVAILABLE, "no input of %s is a picture, channels x height x width",
                     run->request->model_name);
}

/* n records, evenly spaced; a bad one leaves its tile dark. */
static int draw_tiles(const struct run *run, size_t input, size_t n, struct contact_sheet *sheet, FILE *out,
                      struct error *err)
{
    uint64_t count = dataset_count(run->dataset);
    struct feed *feed = feed_create(run->dataset, run->inputs, run->graph->n_inputs, err);
    float *rows[DATASET_MAX_INPUTS] = {NULL};
    int rc = feed == NULL ? -1 : run_create_rows(run, rows, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint64_t ordinal = count / n * i + count % n * i / n;
        struct record_identity identity;
        struct error why = {0};
        int64_t label;
        float min, max;

        if (feed_read(feed, ordinal, rows, &label, &identity, &why) == 0) {
            contact_sheet_draw(sheet, i, rows[input], &min, &max);
            fprintf(out, "  tile %zu: record %" PRIu64 ", label %" PRId64 ", values %g to %g\n", i + 1, ordinal, label,
                    (double)min, (double)max);
        } else if (why.code == EX_DATAERR) {
            fprintf(out, "  tile %zu: record %" PRIu64 " is bad: ", i + 1, ordinal);
            printable_print(why.text, out);
            fputc('\n', out);
        } else {
            rc = error_set(err, why.code, "%s", why.text);
        }
    }
    run_free_rows(rows);
    feed_destroy(feed);
    return rc;
}

static int write_png(const struct contact_sheet *sheet, const char *path, bool may_replace, struct error *err)
{
    struct image_pixels pixels = contact_sheet_pixels(sheet);
    struct encoded_image file = {0};
    int rc = encode_png(&pixels, &file, err);

    if (rc == 0)
        rc = output_write_path(path, may_replace, file.bytes, file.size, err);
    free(file.bytes);
    return rc;
}

static int draw(const struct run *run, size_t n, const char *path, FILE *out, struct error *err)
{
    uint64_t count = dataset_count(run->dataset);
    struct contact_sheet *sheet;
    const struct shape *shape;
    char text[SHAPE_TEXT_BYTES];
    size_t input = 0;
    int rc;

    if (find_picture(run, &input, err) != 0)
        return -1;
    shape = &run->inputs[input].shape;
    n = n < count ? n : (size_t)count;
    sheet = contact_sheet_create(n, (size_t)shape->dims[0], (size_t)shape->dims[1], (size_t)shape->dims[2], err);
    if (sheet == NULL)
        return -1;
    fprintf(out, "input ");
    printable_print(run->graph->values[run->graph->inputs[input]].name, out);
    fprintf(out,
            ", %s: each tile from its smallest value (black) to its largest (white), channel 0 red, 1 green, 2 blue\n",
            shape_text(shape, text));
    rc = draw_tiles(run, input, n, sheet, out, err);
    if (rc == 0)
        rc = write_png(sheet, path, run->request->force, err);
    contact_sheet_destroy(sheet);
    return rc;
}

int run_sheet(const struct comm *comm, const struct run_request *request, size_t n, const char *path, FILE *out,
              struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = run_load(&run, err);

    if (rc == 0 && comm->rank == 0)
        rc = draw(&run, n, path, out, err);
    run_fini(&run);
    return comm_agree(comm, rc, err);
}
