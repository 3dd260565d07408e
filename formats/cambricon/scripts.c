/* scripts.c — what the user runs in the vendor's image, and the page that says so: files/ with their @MARKS@ replaced.
 * See cambricon.h.
 *
 * Source of the calls: the vendor's PyTorch walk-through for the MLU200 series, genoff of its public Caffe, and
 * pb_to_cambricon as its TensorFlow examples call it.
 */
#include "formats/cambricon/cambricon.h"
#include "formats/text_file.h"

#include <stdlib.h>
#include <string.h>

static const char readme[] = {
#include "cambricon/files/README.md.inc"
    '\0',
};
static const char genoff[] = {
#include "cambricon/files/genoff.py.inc"
    '\0',
};
static const char build[] = {
#include "cambricon/files/build_offline.sh.inc"
    '\0',
};

static const char page_on_first[] =
    "The first convolution takes pixels (firstconv): inputs are bytes 0 to 255, with four bytes a pixel where there "
    "are\n"
    "three channels, and the layer does the means and divisors of io.json itself. What is said of the layer's input "
    "scale\n"
    "is of normalised values. The records of the calibration must have been bytes in front of the first mean or scale.";
static const char page_without_first[] =
    "Inputs are what the preprocessing in io.json gives: no mean and std are folded into a first convolution (target\n"
    "option `firstconv`).";

/* ---- Words that go in. Freed with free(). NULL: EX_OSERR. --- */

typedef void print_word(const struct cambricon *c, FILE *out);

static char *make_word(const struct cambricon *c, print_word *print, struct error *err)
{
    struct printed word;

    if (printed_begin(&word, "a script", err) != 0)
        return NULL;
    print(c, word.out);
    return printed_end(&word, NULL, err);
}

/* "(1, 3, 32, 32), " for each input. */
static void print_shapes(const struct cambricon *c, FILE *out)
{
    for (size_t i = 0; i < c->graph->n_inputs; i++) {
        const struct shape *shape = &c->graph->values[c->graph->inputs[i]].shape;

        fputs(i > 0 ? ", (" : "(", out);
        for (size_t k = 0; k < shape->rank; k++)
            fprintf(out, "%lld, ", (long long)shape->dims[k]);
        fputc(')', out);
    }
}

/* The model's name as one word of a shell, whatever is in it. */
static void print_quoted(const struct cambricon *c, FILE *out)
{
    fputc('\'', out);
    for (const char *at = c->info->model_name; *at != '\0'; at++)
        fputs(*at == '\'' ? "'\\''" : (const char[]){*at, '\0'}, out);
    fputc('\'', out);
}

static bool has_channel_scales(const struct plan *plan)
{
    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        if (plan->nodes[i].is_quantized && plan->nodes[i].n_weight_scales > 1)
            return true;
    return false;
}

/* The vendor's qconfig, whose mean and std are of pixels over 255. */
static void print_qconfig(const struct cambricon *c, FILE *out)
{
    fprintf(out, "\"firstconv\": %s, \"per_channel\": %s", c->first == NULL ? "False" : "True",
            has_channel_scales(c->plan) ? "True" : "False");
    for (size_t list = 0; c->first != NULL && list < 2; list++) {
        fputs(list == 0 ? ", \"mean\": [" : ", \"std\": [", out);
        for (size_t i = 0; i < c->first->channels; i++) {
            const struct pixel_affine *pixels = &c->first->pixels;

            fprintf(out, "%s%.9g", i > 0 ? ", " : "", list == 0 ? pixels->mean[i] / 255 : 1 / pixels->scale[i] / 255);
        }
        fputc(']', out);
    }
}

/* The target with codes of the other width. */
static void print_other(const struct cambricon *c, FILE *out)
{
    int chip = (int)strcspn(c->folder, "-") + (int)sizeof "-mlu220" - 1; /* of cambricon-mlu220[-int16] */

    fprintf(out, "%.*s%s", chip, c->folder, c->bits == 8 ? "-int16" : "");
}

/* ---- The files */

static int write_files(const struct cambricon *c, const struct text_mark *marks, size_t n, struct error *err)
{
    if (text_file_write_readme(c->output, c->folder, readme, marks, n, err) != 0 ||
        text_file_write_marked(c->output, c->folder, "build_offline.sh", build, marks, n, err) != 0)
        return -1;
    return c->has_pytorch ? text_file_write_marked(c->output, c->folder, "genoff.py", genoff, marks, n, err) : 0;
}

int cambricon_write_scripts(const struct cambricon *c, struct error *err)
{
    static const struct {
        const char *mark;
        print_word *print;
    } made[] = {{"@SHAPES@", print_shapes},
                {"@QUOTED_NAME@", print_quoted},
                {"@QUANTIZED@", print_qconfig},
                {"@OTHER@", print_other}};
    enum { N_MADE = sizeof made / sizeof *made, N_KNOWN = 4 };
    struct text_mark marks[N_KNOWN + N_MADE] = {
        {"@NAME@", c->info->model_name},
        {"@BITS@", c->bits == 8 ? "8" : "16"},
        {"@CHIP@", strstr(c->folder, "mlu220") != NULL ? "MLU220" : "MLU270"},
        {"@FIRSTCONV@", c->first == NULL ? page_without_first : page_on_first},
    };
    char *words[N_MADE] = {NULL};
    int rc = 0;

    for (size_t i = 0; i < N_MADE && rc == 0; i++) {
        words[i] = make_word(c, made[i].print, err);
        marks[N_KNOWN + i] = (struct text_mark){made[i].mark, words[i]};
        rc = words[i] == NULL ? -1 : 0;
    }
    if (rc == 0)
        rc = write_files(c, marks, N_KNOWN + N_MADE, err);
    for (size_t i = 0; i < N_MADE; i++)
        free(words[i]);
    return rc;
}
