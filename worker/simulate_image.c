/* simulate_image.c — where the windows of a simulated convolution lie: in an image with pads, or in patches.
 *
 * With its channels last, a row of taps of an undilated window is one run of bytes; in an image with its pads every
 * window is a few such runs, which int_gemm.h reads where they are. Other windows (dilated, of groups, transposed:
 * there each output pixel reads the input pixels that scatter into it) are copied to rows of patches.
 */
#include "worker/simulate_conv.h"

#include "common/isa.h"
#include "common/memory.h"

#include <string.h>

enum { MOST_GROWTH = 4, SLACK = INT_GEMM_PANEL * sizeof(int16_t) }; /* kernels read whole units and panels */

/* An image with pads holds what all windows see. */
static size_t padded_size(const struct sim_conv *c, int axis, size_t in, size_t out)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t seen = (out - 1) * (size_t)w->stride[axis] + (c->kernel[axis] - 1) * (size_t)w->dilation[axis] + 1;
    size_t filled = (size_t)w->pad_begin[axis] + in;

    return seen > filled ? seen : filled;
}

/* Pads as long as a file likes must not make memory of a few bytes: then patches serve. */
static bool is_small(const struct sim_conv *c, size_t height, size_t width)
{
    size_t known = c->in_height * c->in_width + c->out_height * c->out_width + SIM_BLOCK;

    return height <= MOST_GROWTH * known && width <= MOST_GROWTH * known / height;
}

void sim_conv_place_windows(struct sim_conv *c)
{
    const struct window *w = &c->node->attr.conv.window;
    bool is_run = c->is_depthwise || c->kernel[1] == 1 || (c->group == 1 && w->dilation[1] == 1);
    size_t height, width;

    c->image_height = c->in_height;
    c->image_width = c->in_width;
    c->segments = 1;
    c->segment_items = c->k;
    c->is_direct = c->node->op == OP_DENSE;
    if (c->node->op == OP_CONV && is_run) {
        height = padded_size(c, 0, c->in_height, c->out_height);
        width = padded_size(c, 1, c->in_width, c->out_width);
        if (is_small(c, height, width)) {
            c->is_direct = true;
            c->image_height = height;
            c->image_width = width;
            c->top = (size_t)w->pad_begin[0];
            c->left = (size_t)w->pad_begin[1];
            c->segments = c->kernel[0];
            c->segment_items = c->kernel[1] * c->group_in;
        }
    }
    c->units = int_gemm_units(c->segment_items, c->are_bytes);
}

static bool is_read_as_it_lies(const struct sim_conv *c)
{
    return c->are_bytes == c->in_codes.are_bytes && c->image_height == c->in_height && c->image_width == c->in_width;
}

int sim_conv_make_image(struct sim_conv *c, struct error *err)
{
    size_t item = sim_conv_item(c), bytes = c->image_height * c->image_width * c->in_channels * item;
    bool needs_patches = !c->is_direct && !c->is_depthwise;

    c->patch_bytes = c->units * INT_GEMM_UNIT;
    c->turned = memory_create(c->is_turned ? c->in_height * c->in_width * c->in_channels + SLACK : 1,
                              sim_code_bytes(c->in_codes), "an image", err);
    c->image = memory_create((is_read_as_it_lies(c) ? 0 : bytes) + SLACK, 1, "an image", err);
    c->patches = memory_create(needs_patches ? SIM_BLOCK : 1, c->patch_bytes, "patches", err);
    c->at = memory_create(SIM_BLOCK, sizeof *c->at, "rows", err);
    if (c->turned == NULL || c->image == NULL || c->patches == NULL || c->at == NULL)
        return -1;
    if (c->are_bytes) /* real zero; pads stay so, since records overwrite their own pixels only */
        memset(c->image, -c->in_codes.lowest, is_read_as_it_lies(c) ? 0 : bytes);
    return 0;
}

ISA_CLONES static void widen(const uint8_t *restrict bytes, size_t n, int lowest, int16_t *restrict words)
{
    for (size_t i = 0; i < n; i++)
        words[i] = (int16_t)(bytes[i] + lowest);
}

/* A row of the input into its place. */
static void place_row(const struct sim_conv *c, const char *from, size_t y)
{
    size_t item = sim_conv_item(c), n = c->in_width * c->in_channels;
    char *to = (char *)c->image + ((c->top + y) * c->image_width + c->left) * c->in_channels * item;

    if (c->in_codes.are_bytes && !c->are_bytes)
        widen((const uint8_t *)from, n, c->in_codes.lowest, (int16_t *)to);
    else
        memcpy(to, from, n * item);
}

const char *sim_conv_image(struct sim_conv *c, const void *input)
{
    size_t item = sim_code_bytes(c->in_codes), pixels = c->in_height * c->in_width;
    const char *record = input;

    if (c->is_turned) {
        sim_turn(input, 1, c->in_channels, pixels, item, c->turned);
        record = c->turned;
    }
    if (is_read_as_it_lies(c))
        return record;
    for (size_t y = 0; y < c->in_height; y++)
        place_row(c, record + y * c->in_width * c->in_channels * item, y);
    return c->image;
}

/* The input row or column that a tap of an output row or column reads, or -1 where it reads none, which is real zero:
 * outside the image or, of a transposed convolution, between strides. */
static int64_t tap_position(const struct sim_conv *c, int axis, size_t out, size_t tap)
{
    const struct window *w = &c->node->attr.conv.window;
    int64_t size = (int64_t)(axis == 0 ? c->in_height : c->in_width), along = (int64_t)tap * w->dilation[axis];
    int64_t at = (int64_t)out * w->stride[axis] - w->pad_begin[axis] + along;

    if (c->node->op == OP_DECONV) { /* out = at x stride - pad + along */
        int64_t scattered = (int64_t)out + w->pad_begin[axis] - along;

        at = scattered < 0 || scattered % w->stride[axis] != 0 ? -1 : scattered / w->stride[axis];
    }
    return at < 0 || at >= size ? -1 : at;
}

static void make_patch(const struct sim_conv *c, const char *image, size_t group, size_t pixel, char *patch)
{
    size_t y = pixel / c->out_width, x = pixel % c->out_width, item = sim_conv_item(c), bytes = c->group_in * item;
    int zero = c->are_bytes ? -c->in_codes.lowest : 0;

    for (size_t ky = 0; ky < c->kernel[0]; ky++) {
        int64_t row = tap_position(c, 0, y, ky);

        for (size_t kx = 0; kx < c->kernel[1]; kx++, patch += bytes) {
            int64_t column = row < 0 ? -1 : tap_position(c, 1, x, kx);

            if (column < 0)
                memset(patch, zero, bytes);
            else
                memcpy(patch,
                       image +
                           (((size_t)row * c->in_width + (size_t)column) * c->in_channels + group * c->group_in) * item,
                       bytes);
        }
    }
}

struct int_rows sim_conv_rows(struct sim_conv *c, const char *image, size_t group, size_t first, size_t n)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t pixel_bytes = c->in_channels * sim_conv_item(c), group_bytes = c->group_in * sim_conv_item(c);
    bool is_dense = c->node->op == OP_DENSE;
    struct int_rows rows = {.base = c->is_direct ? image + group * group_bytes : c->patches,
                            .at = c->at,
                            .n = n,
                            .segments = c->segments,
                            .stride = is_dense ? 0 : (size_t)w->dilation[0] * c->image_width * pixel_bytes,
                            .units = c->units};
    size_t down = is_dense ? 1 : (size_t)w->stride[0], right = is_dense ? 1 : (size_t)w->stride[1];

    for (size_t i = 0; i < n; i++) {
        size_t y = (first + i) / c->out_width, x = (first + i) % c->out_width;

        c->at[i] = c->is_direct ? (y * down * c->image_width + x * right) * pixel_bytes : i * c->patch_bytes;
        if (!c->is_direct)
            make_patch(c, image, group, first + i, c->patches + i * c->patch_bytes);
    }
    return rows;
}

size_t sim_conv_tap_rows(const struct sim_conv *c, const char *image, size_t pixel, const int16_t **rows,
                         const int16_t **taps)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t y = pixel / c->out_width, x = pixel % c->out_width, n = 0;

    for (size_t ky = 0; ky < c->kernel[0]; ky++)
        for (size_t kx = 0; kx < c->kernel[1]; kx++) {
            int64_t row, column;

            if (c->is_direct) {
                row = (int64_t)y * w->stride[0] + (int64_t)ky * w->dilation[0];
                column = (int64_t)x * w->stride[1] + (int64_t)kx * w->dilation[1];
            } else {
                row = tap_position(c, 0, y, ky);
                column = row < 0 ? -1 : tap_position(c, 1, x, kx);
            }
            if (row < 0 || column < 0)
                continue;
            taps[n] = c->taps + (ky * c->kernel[1] + kx) * (c->in_channels + INT_GEMM_PANEL);
            rows[n++] = (const int16_t *)image + ((size_t)row * c->image_width + (size_t)column) * c->in_channels;
        }
    return n;
}
