/* samples.c — calibration tensors: calibration_data/<input>/<number>.npy or .bin, float32.
 *
 * Evenly spaced records of the calibration set, the same for any number of ranks; files of one number belong together.
 * The nash tools take what the network is given, normalised; the older chain normalises itself and takes pixels.
 */
#include "formats/horizon/horizon.h"

#include "common/memory.h"
#include "formats/records/npy.h"
#include "formats/text_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One tensor as bytes of an .npy file. */
static int write_npy(const struct horizon *h, const char *name, const struct shape *shape, const float *data,
                     struct error *err)
{
    size_t size;
    uint8_t *bytes = npy_encode(shape, data, &size, err);
    int rc = bytes == NULL ? -1 : text_file_write(h->output, HORIZON, name, (const char *)bytes, size, err);

    free(bytes);
    return rc;
}

static int write_tensor(const struct horizon *h, const struct horizon_input *input, size_t number, const float *data,
                        struct error *err)
{
    bool wants_both = horizon_is(h, "sample_format", "both");
    size_t size = (size_t)shape_elements(input->shape) * sizeof *data;
    char name[256];

    snprintf(name, sizeof name, "calibration_data/%s/%05zu.npy", input->folder, number);
    if ((wants_both || horizon_is(h, "sample_format", "npy")) && write_npy(h, name, input->shape, data, err) != 0)
        return -1;
    snprintf(name, sizeof name, "calibration_data/%s/%05zu.bin", input->folder, number);
    if (wants_both || horizon_is(h, "sample_format", "bin"))
        return text_file_write(h->output, HORIZON, name, (const char *)data, size, err);
    return 0;
}

/* The pixels behind normalised values. */
static void undo_normalisation(const struct horizon_input *input, float *data)
{
    size_t channels = (size_t)input->shape->dims[1], plane = (size_t)shape_elements(input->shape) / channels;

    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++)
            data[c * plane + i] = data[c * plane + i] / input->scale[c] + input->mean[c];
}

static int write_record(struct horizon *h, float *const *rows, struct error *err)
{
    for (size_t i = 0; i < h->plan->graph->n_inputs; i++) {
        const struct horizon_input *input = &h->inputs[i];

        if (!h->is_nash && input->train != HORIZON_FEATUREMAP && input->is_normalised)
            undo_normalisation(input, rows[i]);
        if (write_tensor(h, input, h->n_samples, rows[i], err) != 0)
            return -1;
    }
    h->n_samples++;
    return 0;
}

static int write_records(struct horizon *h, float *const *rows, struct error *err)
{
    const struct emit_records *records = h->info->records_of_calibration;
    uint64_t wanted = target_setting_count(h->info->settings, &target_horizon, "samples");
    uint64_t n = records->n < wanted ? records->n : wanted;

    for (uint64_t i = 0; i < n; i++) {
        bool is_bad = false;

        if (records->read(records->context, i * records->n / n, rows, &is_bad, err) != 0)
            return -1;
        if (!is_bad && write_record(h, rows, err) != 0)
            return -1;
    }
    return 0;
}

int horizon_write_samples(struct horizon *h, struct error *err)
{
    size_t n_inputs = h->plan->graph->n_inputs;
    float **rows;
    int rc = 0;

    if (h->info->records_of_calibration == NULL)
        return 0;
    rows = memory_create(n_inputs, sizeof *rows, "calibration tensors", err);
    if (rows == NULL)
        return -1;
    for (size_t i = 0; rc == 0 && i < n_inputs; i++) {
        rows[i] = memory_create((size_t)shape_elements(h->inputs[i].shape), sizeof **rows, "a tensor", err);
        rc = rows[i] == NULL ? -1 : 0;
    }
    if (rc == 0)
        rc = write_records(h, rows, err);
    for (size_t i = 0; i < n_inputs; i++)
        free(rows[i]);
    free(rows);
    return rc;
}
