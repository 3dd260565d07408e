/* registry.c — the metrics there are, and all of them together; see metric.h. */
#include "worker/metrics/metric.h"

#define METRIC(id) extern const struct metric metric_##id;
#include "metrics.def"
#undef METRIC

const struct metric *const metrics[] = {
#define METRIC(id) &metric_##id,
#include "metrics.def"
#undef METRIC
    NULL,
};

int metrics_check(const struct metric_task *task, struct error *err)
{
    for (size_t i = 0; metrics[i] != NULL; i++)
        if (metrics[i]->check != NULL && metrics[i]->check(task, err) != 0)
            return -1;
    return 0;
}

size_t metrics_words(const struct metric_task *task)
{
    size_t n = 0;

    for (size_t i = 0; metrics[i] != NULL; i++)
        n += metrics[i]->words(task);
    return n;
}

void metrics_add(const struct metric_task *task, const struct metric_sample *sample, uint64_t *state)
{
    for (size_t i = 0; metrics[i] != NULL; i++) {
        size_t n = metrics[i]->words(task);

        if (n > 0)
            metrics[i]->add(task, sample, state);
        state += n;
    }
}

void metrics_normalise(const struct metric_task *task, uint64_t *state)
{
    for (size_t i = 0; metrics[i] != NULL; i++) {
        size_t n = metrics[i]->words(task);

        if (n > 0 && metrics[i]->normalise != NULL)
            metrics[i]->normalise(state);
        state += n;
    }
}
