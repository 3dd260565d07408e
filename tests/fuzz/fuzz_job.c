/* fuzz_job.c — job files. */
#include "fuzz.h"

#include "jobs/job.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct job *job = job_read(fuzz_file("job.yaml", data, size), NULL, 0, err);
    int rc = job != NULL ? 0 : -1;

    job_destroy(job);
    return rc;
}
