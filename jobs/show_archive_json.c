/* show_archive_json.c — see show_archive.h: JSON. */
#include "coordinator/report_convergence.h"
#include "formats/json_text.h"
#include "jobs/archive_view.h"
#include "jobs/show_archive.h"

#include <math.h>

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Of thresholds and scales: 0 stands for none. */
static json_t *positive(float x)
{
    return x > 0 ? json_real((double)x) : json_null();
}

static json_t *bad_records(const struct archive *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->n_bad; i++)
        json_append(&list, json_pack("{s:I, s:o}", "record", (json_int_t)a->bad[i].ordinal, "reason",
                                     json_text(a->bad[i].reason)));
    return list;
}

static json_t *value_object(const struct archive *a, size_t v, const struct method_thresholds *by)
{
    const struct archive_value *value = &a->values[v];
    struct value_range r = archive_value_range(value);
    json_t *object = json_pack("{s:o, s:I, s:I, s:o, s:o, s:I, s:I, s:I}", "name", json_text(value->name), "channels",
                               (json_int_t)value->channels, "observed", (json_int_t)r.n, "min", number((double)r.min),
                               "max", number((double)r.max), "zeros", (json_int_t)r.zeros, "nan", (json_int_t)r.nans,
                               "inf", (json_int_t)r.infs);
    json_t *thresholds = by->n_methods == 0 ? NULL : json_object();

    for (size_t m = 0; m < by->n_methods; m++)
        json_put(&thresholds, by->methods[m]->name, positive(by->thresholds[v * by->n_methods + m]));
    if (by->n_methods > 0)
        json_put(&object, "thresholds", thresholds);
    return object;
}

static json_t *values_of(const struct archive *a, const struct method_thresholds *by)
{
    json_t *list = json_array();

    for (size_t v = 0; v < a->n_values; v++)
        json_append(&list, value_object(a, v, by));
    return list;
}

static json_t *decisions_of(const struct archive *a, const struct archive_target *target)
{
    json_t *list = json_array();

    for (size_t i = 0; i < target->n_decisions; i++) {
        const struct archive_decision *d = &target->decisions[i];

        json_append(&list,
                    json_pack("{s:o, s:s, s:o, s:o, s:i, s:i, s:i, s:I, s:I, s:o, s:o}", "value",
                              json_text(a->values[d->value].name), "method", d->method, "threshold",
                              positive(d->threshold), "scale", positive(d->scale), "zero_point", (int)d->zero_point,
                              "lo", (int)d->lo, "hi", (int)d->hi, "clipped", (json_int_t)d->clipped, "elements",
                              (json_int_t)d->elements, "sqnr_db", number(d->sqnr_db), "cosine", number(d->cosine)));
    }
    return list;
}

static json_t *layers_of(const struct archive_target *target)
{
    json_t *list = json_array();

    for (size_t i = 0; i < target->n_layers; i++) {
        const struct archive_layer *l = &target->layers[i];

        json_append(&list, json_pack("{s:o, s:s, s:I, s:I, s:o, s:o}", "name", json_text(l->name), "method", l->method,
                                     "scales", (json_int_t)l->n_scales, "biases", (json_int_t)l->n_biases, "weight_mse",
                                     number(l->weight_mse), "weight_mse_max_abs", number(l->weight_mse_max_abs)));
    }
    return list;
}

static json_t *targets_of(const struct archive *a)
{
    json_t *object = json_object();

    for (size_t t = 0; t < a->n_targets; t++)
        json_put(&object, a->targets[t].name,
                 json_pack("{s:s, s:o, s:o}", "fingerprint", a->targets[t].fingerprint, "decisions",
                           decisions_of(a, &a->targets[t]), "layers", layers_of(&a->targets[t])));
    return object;
}

static json_t *archive_object(const struct archive *a, const struct method_thresholds *by, json_t *convergence)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:o, s:{s:s, s:s, s:s, s:s}, s:{s:I, s:I, s:o}, s:I, s:I, s:o, s:o, s:o, "
                     "s:o}",
                     "kind", "archive", "version", (int)a->version, "etalon", a->etalon_version, "isa", a->isa, "model",
                     json_text(a->model), "fingerprints", "statistics", a->statistics_fingerprint, "decisions",
                     a->decisions_fingerprint, "model", a->model_fingerprint, "measurement", a->measurement_fingerprint,
                     "records", "used", (json_int_t)a->records_used, "all", (json_int_t)a->n_records, "bad",
                     bad_records(a), "block", (json_int_t)a->block_size, "bins", (json_int_t)a->bins, "job",
                     a->n_job == 0 ? json_null() : json_stringn((const char *)a->job, a->n_job), "convergence",
                     convergence, "values", values_of(a, by), "targets", targets_of(a));
}

int show_archive_json(const struct archive *a, bool with_thresholds, FILE *out, struct error *err)
{
    const struct comm alone = {.size = 1};
    struct method_thresholds by = {0};
    struct error unknown = {0};
    struct job *job = archive_job(a, with_thresholds ? err : &unknown);
    json_t *convergence = NULL;
    int rc = job == NULL && with_thresholds ? -1 : 0;

    if (rc == 0 && with_thresholds)
        rc = archive_thresholds(a, job, &by, err);
    if (rc == 0 && job != NULL)
        rc = report_convergence_of_archive(&alone, a, job_request(job), NULL, &convergence, err);
    else if (rc == 0)
        convergence = json_null();
    if (rc == 0)
        rc = json_print(archive_object(a, &by, convergence), out, err);
    method_thresholds_fini(&by);
    job_destroy(job);
    return rc;
}
