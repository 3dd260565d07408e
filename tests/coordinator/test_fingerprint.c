/* test_fingerprint.c — how bytes are read is part of what statistics are; how thresholds are chosen, of decisions. */
#include "../formats/image_files.h"

#include "coordinator/fingerprint.h"

/* The measurement's fingerprint of a job whose inputs are read so. */
static void fingerprint(struct dataset *dataset, const struct dataset_input *inputs, size_t n, char hex[65])
{
    struct run_request request = {
        .dataset = {.n_inputs = n, .inputs = inputs},
        .calibration = {.activations = threshold_method_find("mse"), .weights = weight_method_find("sweep")}};

    assert_int_equal(fingerprint_measurement(&request, "model", dataset, "probe", hex, NULL), 0);
}

static void which_input_is_read_in_another_way_matters(void **state)
{
    static const struct dataset_input first[] = {{"a", {.is_oriented = true}}, {"b", {.kind = "images"}}};
    static const struct dataset_input second[] = {{"a", {.kind = "images"}}, {"b", {.is_oriented = true}}};
    struct place place = place_create();
    struct dataset_request request = {.kind = "images", .path = place.folder};
    struct dataset *dataset;
    char hex[2][65];

    (void)state;
    write_file(in_place(&place, "a.pgm"), "P5 1 1 255 x", 12);
    dataset = dataset_open(&request, NULL);
    assert_non_null(dataset);
    fingerprint(dataset, first, 2, hex[0]);
    fingerprint(dataset, second, 2, hex[1]);
    assert_string_not_equal(hex[0], hex[1]);
    dataset_close(dataset);
    place_destroy(&place);
}

/* The fingerprint of decisions for a target that multiplies accumulators in this form. */
static void fingerprint_form(enum requantization form, char hex[65])
{
    struct run_request request = {
        .calibration = {.activations = threshold_method_find("mse"), .weights = weight_method_find("sweep")}};
    struct profile profile = *targets[0]->profile;
    struct target target = {.name = "one", .profile = &profile};

    profile.requantization = form;
    assert_int_equal(fingerprint_target(&request, "statistics", &target, false, false, hex, NULL), 0);
}

static void thresholds_that_are_fitted_to_shifts_are_other_decisions(void **state)
{
    char shift[65], ratio[65], dequantized[65];

    (void)state;
    fingerprint_form(REQUANTIZE_SHIFT, shift);
    fingerprint_form(REQUANTIZE_RATIO, ratio);
    fingerprint_form(REQUANTIZE_DEQUANTIZED, dequantized);
    assert_string_not_equal(shift, ratio);
    assert_string_equal(ratio, dequantized);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_input_is_read_in_another_way_matters),
        cmocka_unit_test(thresholds_that_are_fitted_to_shifts_are_other_decisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
