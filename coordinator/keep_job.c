/* keep_job.c — see keep_job.h. */
#include "coordinator/keep_job.h"

#include "common/preprocess_text.h"
#include "common/printed.h"

#include <stdlib.h>
#include <string.h>

static bool reads_file(const struct preprocess_plan *plan)
{
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == STEP_MEAN_FILE)
            return true;
    return false;
}

static bool is_kept(const struct run_request *request)
{
    bool has_steps = request->preprocess.n_steps > 0, reads = reads_file(&request->preprocess);

    for (size_t i = 0; i < request->n_preprocess_inputs; i++) {
        has_steps = true;
        reads = reads || reads_file(&request->preprocess_inputs[i].plan);
    }
    return has_steps && !reads;
}

static void print_name(const char *name, FILE *out)
{
    fputc('"', out);
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            fprintf(out, "\\x%02x", (unsigned)*c);
        else
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    fputs("\": ", out);
}

/* One chain for all inputs, or one each. */
static void print_chains(const struct run_request *request, FILE *out)
{
    if (request->n_preprocess_inputs == 0) {
        preprocess_print_flow(&request->preprocess, out);
        return;
    }
    for (size_t i = 0; i < request->n_preprocess_inputs; i++) {
        fputs(i == 0 ? "{" : ", ", out);
        print_name(request->preprocess_inputs[i].name, out);
        preprocess_print_flow(&request->preprocess_inputs[i].plan, out);
    }
    fputc('}', out);
}

/* The request's text is one map, "{...}". */
char *keep_job_text(const struct run_request *request, struct error *err)
{
    size_t length = strlen(request->text);
    struct printed job;

    if (printed_begin(&job, "the job in an archive", err) != 0)
        return NULL;
    if (length > 0 && is_kept(request)) {
        fprintf(job.out, "%.*s,\"preprocess\":", (int)length - 1, request->text);
        print_chains(request, job.out);
        fputc('}', job.out);
    } else {
        fputs(request->text, job.out);
    }
    return printed_end(&job, NULL, err);
}
