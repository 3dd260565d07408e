/* test_decode_window.c — JPEGs of which a reader wants a part: the same pixels and the same verdict as on the whole.
 *
 * Smooth upsampling looks beyond a block, and rows that are left out are taken from the file all the same, so files are
 * drawn over what the format allows: sampling factors, progressive or not, restart markers, gray and colour.
 */
#include "formats/records/datum.h"
#include "formats/records/decode_image.h"

#include "../common/draw.h"
#include "image_files.h"

enum { SIDE = 150, ROUNDS = 1500 };

struct drawn_jpeg {
    uint8_t *data;
    unsigned long size;
    size_t height, width;
};

static struct drawn_jpeg draw_jpeg(void)
{
    static const int samplings[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}, {4, 2}, {1, 4}};
    const int *sampling = samplings[draw_below(sizeof samplings / sizeof *samplings)];
    struct drawn_jpeg drawn = {.height = 1 + draw_below(SIDE), .width = 1 + draw_below(SIDE)};
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t row[3 * SIDE];
    JSAMPROW rows[] = {row};

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &drawn.data, &drawn.size);
    jpeg.image_width = (JDIMENSION)drawn.width;
    jpeg.image_height = (JDIMENSION)drawn.height;
    jpeg.input_components = draw_below(8) == 0 ? 1 : 3;
    jpeg.in_color_space = jpeg.input_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 80, TRUE);
    jpeg.comp_info[0].h_samp_factor = sampling[0];
    jpeg.comp_info[0].v_samp_factor = sampling[1];
    if (draw_below(3) == 0)
        jpeg_simple_progression(&jpeg);
    jpeg.restart_interval = draw_below(3) == 0 ? 1 + (unsigned)draw_below(9) : 0;
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        for (size_t i = 0; i < sizeof row; i++)
            row[i] = (uint8_t)(3 * i + 5 * jpeg.next_scanline + draw_below(32));
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return drawn;
}

/* image_wish.find: the part `context` of the image. */
static struct rectangle find_part(const void *context, size_t height, size_t width)
{
    struct rectangle part = *(const struct rectangle *)context;

    if (part.top >= height || part.left >= width) /* a damaged header may say anything */
        return (struct rectangle){0, 0, 1, 1};
    part.height = part.height < height - part.top ? part.height : height - part.top;
    part.width = part.width < width - part.left ? part.width : width - part.left;
    return part;
}

static struct rectangle draw_part(size_t height, size_t width)
{
    size_t top = draw_below(height), left = draw_below(width);

    return (struct rectangle){top, left, 1 + draw_below(height - top), 1 + draw_below(width - left)};
}

static void assert_same_part(const struct record *part, const struct record *whole, const struct rectangle *asked)
{
    struct rectangle window = find_part(asked, whole->height, whole->width);
    size_t row = whole->width * whole->channels;

    assert_int_equal(part->channels, whole->channels);
    assert_int_equal(part->height, whole->height);
    assert_int_equal(part->width, whole->width);
    for (size_t y = window.top; y < window.top + window.height; y++)
        assert_memory_equal(part->bytes + y * row + window.left * whole->channels,
                            whole->bytes + y * row + window.left * whole->channels, window.width * whole->channels);
}

/* Of the damaged files, too, some still decode. Returns whether this one did. */
static bool check_part(const uint8_t *data, size_t size, const struct rectangle *asked)
{
    const struct image_wish wish = {.find = find_part, .context = asked};
    struct record whole = {0}, part = {.wish = &wish};
    struct error whole_err = {0}, part_err = {0};
    int rc = decode_image(data, size, &whole, &whole_err);

    assert_int_equal(decode_image(data, size, &part, &part_err), rc);
    if (rc == 0)
        assert_same_part(&part, &whole, asked);
    else
        assert_int_equal(part_err.code, whole_err.code);
    record_fini(&whole);
    record_fini(&part);
    return rc == 0;
}

static void a_part_has_the_pixels_of_the_whole(void **state)
{
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct drawn_jpeg jpeg = draw_jpeg();
        struct rectangle asked = draw_part(jpeg.height, jpeg.width);

        assert_true(check_part(jpeg.data, jpeg.size, &asked));
        free(jpeg.data);
    }
}

static void damage_is_seen_wherever_it_is(void **state)
{
    size_t n_good = 0;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct drawn_jpeg jpeg = draw_jpeg();
        struct rectangle asked = draw_part(jpeg.height, jpeg.width);
        size_t cut = draw_below(4) == 0 ? jpeg.size - draw_below(jpeg.size / 2) : jpeg.size;

        for (size_t hits = 1 + draw_below(3); hits > 0; hits--)
            jpeg.data[draw_below(jpeg.size)] = (uint8_t)draw_below(256);
        n_good += check_part(jpeg.data, cut, &asked);
        free(jpeg.data);
    }
    assert_in_range(n_good, ROUNDS / 10, ROUNDS * 9 / 10);
}

static void encoded_datums_turn_the_part_to_bgr(void **state)
{
    (void)state;
    for (size_t round = 0; round < 100; round++) {
        struct drawn_jpeg jpeg = draw_jpeg();
        struct rectangle asked = draw_part(jpeg.height, jpeg.width);
        const struct image_wish wish = {.find = find_part, .context = &asked};
        struct record whole = {0}, part = {.wish = &wish};
        struct datum datum = {.is_encoded = true, .data = jpeg.data, .size = jpeg.size};
        uint8_t *message = malloc(datum_bound(&datum));
        size_t size;

        assert_non_null(message);
        size = datum_write(&datum, NULL, message);
        assert_int_equal(datum_to_record(message, size, &whole, NULL), 0);
        assert_int_equal(datum_to_record(message, size, &part, NULL), 0);
        assert_same_part(&part, &whole, &asked);
        record_fini(&whole);
        record_fini(&part);
        free(message);
        free(jpeg.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_has_the_pixels_of_the_whole),
        cmocka_unit_test(damage_is_seen_wherever_it_is),
        cmocka_unit_test(encoded_datums_turn_the_part_to_bgr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
