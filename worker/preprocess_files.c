/* preprocess_files.c — see preprocess_files.h. */
#include "worker/preprocess_files.h"

#include "common/output.h"
#include "formats/mean_file.h"

_Static_assert((int)STEP_FILE_DIGEST_BYTES == (int)SHA256_HEX_BYTES, "a step's file is known by its SHA-256");

static int read_file(struct step_file *file, struct arena *arena, struct error *err)
{
    struct sha256 *state;
    size_t dims[3];

    if (mean_file_read(file, arena, err) < 0 || (state = sha256_create(err)) == NULL)
        return -1;
    dims[0] = file->channels;
    dims[1] = file->height;
    dims[2] = file->width;
    sha256_add(state, dims, sizeof dims);
    sha256_add(state, file->values, dims[0] * dims[1] * dims[2] * sizeof(float));
    sha256_finish(state, file->sha256);
    return 0;
}

int preprocess_read_files(struct preprocess_plan *plan, struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        struct step_file *file = &plan->steps[i].file;

        if (file->path != NULL && file->values == NULL && read_file(file, arena, err) < 0)
            return -1;
    }
    return 0;
}
