/* tables.c — thresholds and precisions as tpu-mlir's text tables, which also serve the BM1684X; see sophon.h.
 *
 * Names are the tops of our own prototxt, which tpu-mlir takes as the names of its operators. Its parsers want single
 * blanks, and numbers without exponents.
 */
#include "formats/sophon/sophon.h"

#include <inttypes.h>
#include <stdlib.h>

static FILE *open_text(char **text, size_t *size, struct error *err)
{
    FILE *out = open_memstream(text, size);

    if (out == NULL)
        error_set(err, EX_OSERR, "cannot allocate memory for a table");
    return out;
}

static int close_text(FILE *out, char **text, struct error *err)
{
    bool has_failed = ferror(out) != 0;

    if (fclose(out) == 0 && !has_failed)
        return 0;
    free(*text);
    *text = NULL;
    return error_set(err, EX_OSERR, "cannot allocate memory for a table");
}

/* Seven decimals, as the vendor's tool prints them; thresholds below its least one are that one. */
static double printed(float threshold)
{
    static const double least = 1e-5;

    return (double)threshold < least ? least : (double)threshold;
}

int sophon_calibration_table(const struct sophon_net *net, uint64_t records, char **text, size_t *size,
                             struct error *err)
{
    FILE *out = open_text(text, size, err);

    if (out == NULL)
        return -1;
    fprintf(out, "# sample number: %" PRIu64 "\n###\n# op_name threshold min max\n", records);
    for (size_t i = 0; i < net->writer.net.n_layer; i++) {
        const Caffe__LayerParameter *layer = net->writer.net.layer[i];

        for (size_t k = 0; k < layer->n_top; k++) {
            int value = net->layers[i].tops[k];
            double t = printed(sophon_threshold(net->plan, value));

            if (sophon_threshold(net->plan, value) == 0)
                fprintf(out, "# %s is float\n", layer->top[k]);
            else
                fprintf(out, "%s %.7f %.7f %.7f\n", layer->top[k], t, net->plan->values[value].is_unsigned ? 0.0 : -t,
                        t);
        }
    }
    return close_text(out, text, err);
}

int sophon_quantize_table(const struct sophon_net *net, char **text, size_t *size, struct error *err)
{
    FILE *out = open_text(text, size, err);

    if (out == NULL)
        return -1;
    fprintf(out, "# op_name quantize_mode\n");
    for (size_t i = 0; i < net->writer.net.n_layer; i++)
        if (net->writer.net.layer[i]->n_top > 0 && sophon_is_float(net->plan, &net->layers[i])) /* not of a Silence */
            fprintf(out, "%s F32\n", net->writer.net.layer[i]->top[0]);
    return close_text(out, text, err);
}
