/* front.c — see front.h. */
#include "formats/horizon/front.h"

#include "formats/onnx/write.h"

#include <stdio.h>
#include <string.h>

struct front {
    const struct horizon *horizon;
    const struct horizon_input *input;
    struct onnx_writer *writer;
    const char *name; /* of the network's input */
};

/* "<input><suffix><more>". */
static const char *extend(struct front *f, const char *suffix, const char *more)
{
    size_t size = strlen(f->name) + strlen(suffix) + strlen(more) + 1;
    char *name = onnx_writer_memory(f->writer, size, 1);

    if (name == NULL)
        return "";
    snprintf(name, size, "%s%s%s", f->name, suffix, more);
    return name;
}

/* A name that nothing of the network or its codes has. */
static const char *derive(struct front *f, const char *suffix)
{
    return extend(f, "/front_", suffix);
}

/* One node from x (and maybe a constant) to a described float value. */
static const char *add(struct front *f, const char *type, const char *suffix, const char *x, const char *constant,
                       const struct shape *shape)
{
    const char *y = derive(f, suffix);

    onnx_writer_node(f->writer, type, y, (const char *[]){x, constant}, constant == NULL ? 1 : 2, y);
    onnx_writer_value(f->writer, y, DTYPE_FLOAT32, shape, false);
    return y;
}

/* Numbers in a shape of their own, copied. */
static const char *add_numbers(struct front *f, const char *suffix, const float *numbers, const struct shape *shape)
{
    size_t n = (size_t)shape_elements(shape);
    float *copy = onnx_writer_memory(f->writer, n, sizeof *copy);
    const char *name = derive(f, suffix);

    if (copy == NULL)
        return "";
    memcpy(copy, numbers, n * sizeof *copy);
    onnx_writer_tensor(f->writer, name, &(struct tensor){DTYPE_FLOAT32, *shape, copy});
    return name;
}

/* An integer input, rows before channels, as floats with channels before rows. */
static const char *add_pixels(struct front *f, const char *input, const char *part, enum dtype dtype, int64_t channels,
                              int64_t rows, int64_t columns)
{
    struct shape stored = {4, {1, rows, columns, channels}}, turned = {4, {1, channels, rows, columns}};
    char suffix[32];
    const char *y;

    onnx_writer_typed_input(f->writer, input, dtype, &stored);
    snprintf(suffix, sizeof suffix, "%s_float", part);
    y = add(f, "Cast", suffix, input, NULL, &stored);
    onnx_writer_int(f->writer, "to", 1); /* FLOAT */
    if (dtype == DTYPE_INT8) {
        const float offset = 128;

        y = add(f, "Add", "unsigned", y, add_numbers(f, "offset", &offset, &(struct shape){0}), &stored);
    }
    snprintf(suffix, sizeof suffix, "%s_planes", part);
    y = add(f, "Transpose", suffix, y, NULL, &turned);
    onnx_writer_ints(f->writer, "perm", (const int64_t[]){0, 3, 1, 2}, 4);
    return y;
}

/* Two inputs as three planes of full size. */
static const char *add_nv12(struct front *f, const struct shape *planes)
{
    int64_t rows = planes->dims[2], columns = planes->dims[3];
    struct shape chroma = {4, {1, 2, rows, columns}};
    const char *y = add_pixels(f, extend(f, "_y", ""), "y", DTYPE_UINT8, 1, rows, columns);
    const char *uv = add_pixels(f, extend(f, "_uv", ""), "uv", DTYPE_UINT8, 2, rows / 2, columns / 2);
    const char *scales =
        add_numbers(f, "uv_scales", (const float[]){1, 1, 2, 2}, &(struct shape){.rank = 1, .dims = {4}});
    const char *large = derive(f, "uv_large");

    onnx_writer_node(f->writer, "Resize", large, (const char *[]){uv, "", scales}, 3, large);
    onnx_writer_string(f->writer, "mode", "nearest");
    onnx_writer_string(f->writer, "coordinate_transformation_mode", "asymmetric");
    onnx_writer_string(f->writer, "nearest_mode", "floor");
    onnx_writer_value(f->writer, large, DTYPE_FLOAT32, &chroma, false);
    y = add(f, "Concat", "yuv", y, large, planes);
    onnx_writer_int(f->writer, "axis", 1);
    return y;
}

/* Rows: R, G, B; columns: Y, U, V and the constant, of pixels 0..255 with chroma around 128. */
static const double full_range[3][4] = {
    {1, 0, 1.402, -128 * 1.402},
    {1, -0.344136, -0.714136, 128 * (0.344136 + 0.714136)},
    {1, 1.772, 0, -128 * 1.772},
};
static const double video_range[3][4] = {
    {1.164383, 0, 1.596027, -16 * 1.164383 - 128 * 1.596027},
    {1.164383, -0.391762, -0.812968, -16 * 1.164383 + 128 * (0.391762 + 0.812968)},
    {1.164383, 2.017232, 0, -16 * 1.164383 - 128 * 2.017232},
};

/* A 1 x 1 convolution with a matrix, clipped to pixels. */
static const char *add_matrix(struct front *f, const char *x, const float matrix[9], const float offset[3],
                              const struct shape *planes)
{
    const char *w = add_numbers(f, "matrix", matrix, &(struct shape){4, {3, 3, 1, 1}});
    const char *b = add_numbers(f, "constants", offset, &(struct shape){.rank = 1, .dims = {3}});
    const char *y = derive(f, "colours"), *clipped = derive(f, "clipped");
    const float lo = 0, hi = 255;
    const char *low = add_numbers(f, "black", &lo, &(struct shape){0});
    const char *high = add_numbers(f, "white", &hi, &(struct shape){0});

    onnx_writer_node(f->writer, "Conv", y, (const char *[]){x, w, b}, 3, y);
    onnx_writer_value(f->writer, y, DTYPE_FLOAT32, planes, false);
    onnx_writer_node(f->writer, "Clip", clipped, (const char *[]){y, low, high}, 3, clipped);
    onnx_writer_value(f->writer, clipped, DTYPE_FLOAT32, planes, false);
    return clipped;
}

/* From what the board has to what the network was trained on. */
static const char *add_colours(struct front *f, const char *x, const struct shape *planes)
{
    enum horizon_colour from = f->input->board == HORIZON_NV12 ? HORIZON_YUV444 : f->input->board, to = f->input->train;
    const double(*rows)[4] = horizon_is(f->horizon, "input_space_and_range", "regular") ? full_range : video_range;
    float matrix[9] = {0}, offset[3] = {0};

    if (from == to)
        return x;
    for (size_t i = 0; i < 3; i++) {
        size_t row = to == HORIZON_BGR && from == HORIZON_YUV444 ? 2 - i : i;

        for (size_t j = 0; j < 3; j++)
            matrix[3 * i + j] = from == HORIZON_YUV444 ? (float)rows[row][j] : (float)(i + j == 2);
        offset[i] = from == HORIZON_YUV444 ? (float)rows[row][3] : 0;
    }
    return add_matrix(f, x, matrix, offset, planes);
}

/* (x - mean) * scale, ending in the value called f->name. */
static void add_normalisation(struct front *f, const char *x, const struct shape *planes)
{
    struct shape constants = {4, {1, planes->dims[1], 1, 1}};

    if (!f->input->is_normalised) {
        onnx_writer_node(f->writer, "Identity", derive(f, "as_it_is"), &x, 1, f->name);
    } else {
        x = add(f, "Sub", "centred", x, add_numbers(f, "mean", f->input->mean, &constants), planes);
        onnx_writer_node(f->writer, "Mul", derive(f, "normalised"),
                         (const char *[]){x, add_numbers(f, "scale", f->input->scale, &constants)}, 2, f->name);
    }
    onnx_writer_value(f->writer, f->name, DTYPE_FLOAT32, planes, false);
}

void horizon_write_front(void *horizon, struct onnx_writer *writer, size_t input, const char *name)
{
    const struct horizon *h = horizon;
    struct front f = {h, &h->inputs[input], writer, name};
    struct shape planes = *f.input->shape;
    enum horizon_colour board = f.input->board;
    const char *pixels = "";

    if (board == HORIZON_FEATUREMAP) {
        onnx_writer_input(writer, name, f.input->shape);
        return;
    }
    if (board == HORIZON_NV12)
        pixels = add_nv12(&f, &planes);
    else
        pixels = add_pixels(&f, extend(&f, "_pixels", ""), "pixels", board == HORIZON_GRAY ? DTYPE_UINT8 : DTYPE_INT8,
                            planes.dims[1], planes.dims[2], planes.dims[3]);
    add_normalisation(&f, add_colours(&f, pixels, &planes), &planes);
}
