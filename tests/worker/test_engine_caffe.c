/* test_engine_caffe.c — every layer type of Caffe from prototxt through passes and engine to numbers, against formulas
 * written down here from Caffe's own definitions, one output element at a time.
 */
#include "worker/engine.h"

#include "common/log.h"
#include "common/passes.h"

#include "../formats/caffe_files.h"

#include <math.h>

/* Of the largest magnitude, as in test_engine.c. */
static const double TOLERANCE = 1e-4;

/* The input of all cases. */
enum { C = 8, H = 6, W = 4 };

static double in(const float *x, int64_t c, int64_t h, int64_t w)
{
    return c < 0 || h < 0 || w < 0 || c >= C || h >= H || w >= W ? 0 : (double)x[(c * H + h) * W + w];
}

static double weight(size_t blob, int64_t i)
{
    return (double)caffe_value(blob, (size_t)i);
}

/* Sum of f over an image's channels [c0, c1). */
static double moment(const float *x, int64_t c0, int64_t c1, int power, double centre)
{
    double sum = 0;

    for (int64_t c = c0; c < c1; c++)
        for (int64_t i = 0; i < H * W; i++)
            sum += power == 1 ? in(x, c, i / W, i % W) : pow(in(x, c, i / W, i % W) - centre, power);
    return sum;
}

/* ---- Windows and products */

static double conv_depthwise(const float *x, const int64_t *k) /* 3x3, pad 1 */
{
    double sum = weight(1, k[1]);

    for (int64_t i = 0; i < 9; i++)
        sum += weight(0, k[1] * 9 + i) * in(x, k[1], k[2] + i / 3 - 1, k[3] + i % 3 - 1);
    return sum;
}

static double conv_dilated(const float *x, const int64_t *k) /* 2 outputs, 2 groups, 3x1, stride 2 x 1, dilation 2 */
{
    double sum = weight(1, k[1]);

    for (int64_t c = 0; c < C / 2; c++)
        for (int64_t i = 0; i < 3; i++)
            sum += weight(0, (k[1] * (C / 2) + c) * 3 + i) * in(x, k[1] * (C / 2) + c, k[2] * 2 + 2 * i, k[3]);
    return sum;
}

static double deconv(const float *x, const int64_t *k) /* C groups, kernel 4, stride 2, pad 1 */
{
    double sum = 0;

    for (int64_t h = 0; h < H; h++)
        for (int64_t w = 0; w < W; w++) {
            int64_t i = k[2] + 1 - 2 * h, j = k[3] + 1 - 2 * w;

            if (i >= 0 && i < 4 && j >= 0 && j < 4)
                sum += in(x, k[1], h, w) * weight(0, k[1] * 16 + i * 4 + j);
        }
    return sum;
}

static double average_pool(const float *x, const int64_t *k) /* kernel 3, stride 2, pad 1: the divisor counts pads */
{
    int64_t top = k[2] * 2 - 1, left = k[3] * 2 - 1;
    int64_t bottom = top + 3 < H + 1 ? top + 3 : H + 1, right = left + 3 < W + 1 ? left + 3 : W + 1;
    double sum = 0;

    for (int64_t h = top; h < bottom; h++)
        for (int64_t w = left; w < right; w++)
            sum += in(x, k[1], h, w);
    return sum / (double)((bottom - top) * (right - left));
}

static double max_pool(const float *x, const int64_t *k) /* kernel 3, stride 2: the last window hangs over */
{
    double most = -INFINITY;

    for (int64_t h = k[2] * 2; h < k[2] * 2 + 3 && h < H; h++)
        for (int64_t w = k[3] * 2; w < k[3] * 2 + 3 && w < W; w++)
            most = fmax(most, in(x, k[1], h, w));
    return most;
}

static double pyramid(const float *x, const int64_t *k) /* levels 1x1 and 2x2, no pads: 6 and 4 are even */
{
    int64_t level = k[1] < C ? 0 : 1, cell = level == 0 ? 0 : (k[1] - C) % 4, c = level == 0 ? k[1] : (k[1] - C) / 4;
    int64_t rows = level == 0 ? H : H / 2, columns = level == 0 ? W : W / 2;
    double most = -INFINITY;

    for (int64_t h = 0; h < rows; h++)
        for (int64_t w = 0; w < columns; w++)
            most = fmax(most, in(x, c, cell / 2 * rows + h, cell % 2 * columns + w));
    return most;
}

static double inner_product(const float *x, const int64_t *k)
{
    double sum = weight(1, k[1]);

    for (int64_t i = 0; i < C * H * W; i++)
        sum += weight(0, k[1] * C * H * W + i) * (double)x[i];
    return sum;
}

static double inner_product_of_rows(const float *x, const int64_t *k) /* axis 2 */
{
    double sum = weight(1, k[2]);

    for (int64_t i = 0; i < H * W; i++)
        sum += weight(0, k[2] * H * W + i) * in(x, k[1], i / W, i % W);
    return sum;
}

static double inner_product_transposed(const float *x, const int64_t *k) /* axis 3, weights [K][O], no bias */
{
    double sum = 0;

    for (int64_t i = 0; i < W; i++)
        sum += weight(0, i * 5 + k[3]) * in(x, k[1], k[2], i);
    return sum;
}

static double matmul(const float *x, const int64_t *k) /* the record's 192 elements as 1 x 24, and as 24 columns of 8 */
{
    double sum = 0;

    for (int64_t i = 0; i < 24; i++)
        sum += (i / 3 < C ? in(x, i / 3, 0, i % 3) : 0) * (double)x[k[1] * 24 + i];
    return sum;
}

/* ---- Normalisations */

static double batch_norm(const float *x, const int64_t *k)
{
    double f = weight(2, 0);

    return (in(x, k[1], k[2], k[3]) - weight(0, k[1]) / f) / sqrt(weight(1, k[1]) / f + 0.5);
}

static double bn(const float *x, const int64_t *k)
{
    return weight(0, k[1]) * (in(x, k[1], k[2], k[3]) - weight(2, k[1])) / sqrt(weight(3, k[1]) + 0.5) +
           weight(1, k[1]);
}

static double scale_and_bias(const float *x, const int64_t *k)
{
    return in(x, k[1], k[2], k[3]) * weight(0, k[1]) + weight(1, k[1]);
}

static double lrn_across(const float *x, const int64_t *k) /* size 3, alpha 0.5, beta 0.75, k 2 */
{
    double sum = 0;

    for (int64_t c = k[1] - 1; c <= k[1] + 1; c++)
        sum += pow(in(x, c, k[2], k[3]), 2);
    return in(x, k[1], k[2], k[3]) * pow(2 + 0.5 / 3 * sum, -0.75);
}

/* An average pool of size 3, pad 1, stride 1 divides by all 9 wherever it is. */
static double lrn_within(const float *x, const int64_t *k)
{
    double sum = 0;

    for (int64_t i = 0; i < 9; i++)
        sum += pow(in(x, k[1], k[2] + i / 3 - 1, k[3] + i % 3 - 1), 2);
    return in(x, k[1], k[2], k[3]) * pow(1 + 0.5 * sum / 9, -0.75);
}

static double mvn(const float *x, const int64_t *k)
{
    double mean = moment(x, k[1], k[1] + 1, 1, 0) / (H * W);

    return (in(x, k[1], k[2], k[3]) - mean) / (sqrt(moment(x, k[1], k[1] + 1, 2, mean) / (H * W)) + 0.25);
}

static double mvn_mean(const float *x, const int64_t *k) /* over the record, the mean only */
{
    return in(x, k[1], k[2], k[3]) - moment(x, 0, C, 1, 0) / (C * H * W);
}

static double normalize_pixels(const float *x, const int64_t *k)
{
    double sum = 0.5;

    for (int64_t c = 0; c < C; c++)
        sum += pow(in(x, c, k[2], k[3]), 2);
    return in(x, k[1], k[2], k[3]) / sqrt(sum) * weight(0, k[1]);
}

static double normalize_record(const float *x, const int64_t *k)
{
    return in(x, k[1], k[2], k[3]) / sqrt(moment(x, 0, C, 2, 0) + 1e-10) * weight(0, 0);
}

static double softmax(const float *x, const int64_t *k) /* over channels */
{
    double sum = 0;

    for (int64_t c = 0; c < C; c++)
        sum += exp(in(x, c, k[2], k[3]));
    return exp(in(x, k[1], k[2], k[3])) / sum;
}

/* ---- Point by point */

#define POINTWISE(name, formula)                                                                                       \
    static double name(const float *x, const int64_t *k)                                                               \
    {                                                                                                                  \
        double v = in(x, k[1], k[2], k[3]);                                                                            \
                                                                                                                       \
        return formula;                                                                                                \
    }

POINTWISE(relu_leaky, v > 0 ? v : 0.25 * v)
POINTWISE(relu_limited, v > 0 ? fmin(v, 1.5) : 0)
POINTWISE(relu6, fmin(fmax(v, 0), 6))
POINTWISE(prelu, v > 0 ? v : v * weight(0, k[1]))
POINTWISE(elu, v > 0 ? v : 0.5 * (exp(v) - 1))
POINTWISE(sigmoid, 1 / (1 + exp(-v)))
POINTWISE(tanh_of, tanh(v))
POINTWISE(absolute, fabs(v))
POINTWISE(bnll, log(1 + exp(v)))
POINTWISE(swish, v / (1 + exp(-2 * v)))
POINTWISE(clip, fmin(fmax(v, -0.5), 1))
POINTWISE(power, pow(0.5 * v + 3, 3))
POINTWISE(exponential, pow(2, 0.5 * v + 1))
POINTWISE(logarithm, log10(0.5 * v + 3))
POINTWISE(sum_of_three, v + 0.5 * v - v * v)
POINTWISE(axpy, v *moment(x, k[1], k[1] + 1, 1, 0) / (H * W) + v)
POINTWISE(identity, v)

/* ---- Moving */

static double flatten(const float *x, const int64_t *k)
{
    return (double)x[k[1]];
}

static double permute(const float *x, const int64_t *k) /* order 0, 2, 3, 1 */
{
    return in(x, k[3], k[1], k[2]);
}

static double slice(const float *x, const int64_t *k) /* from channel 3 on */
{
    return in(x, k[1] + 3, k[2], k[3]);
}

static double shuffle(const float *x, const int64_t *k) /* 2 groups of 4 */
{
    return in(x, k[1] % 2 * 4 + k[1] / 2, k[2], k[3]);
}

/* Darknet's loops with stride 2, from its reorg_cpu: element (c, h, w) of an image of the bottom's sizes comes from
 * (c % 2, 2 h + (c / 2) / 2, 2 w + (c / 2) % 2) of one of C / 4 channels, 2 H rows and 2 W columns. */
static double reorg(const float *x, const int64_t *k)
{
    int64_t at = (k[1] * (H / 2) + k[2]) * (W / 2) + k[3], c = at / (H * W), h = at / W % H, w = at % W;
    int64_t offset = c / (C / 4);

    return (double)x[w * 2 + offset % 2 + W * 2 * (h * 2 + offset / 2 + H * 2 * (c % (C / 4)))];
}

static double reorg_reverse(const float *x, const int64_t *k)
{
    return in(x, (k[2] % 2 * 2 + k[3] % 2) * (C / 4) + k[1], k[2] / 2, k[3] / 2);
}

static double reverse(const float *x, const int64_t *k)
{
    return in(x, k[1], H - 1 - k[2], k[3]);
}

static double tile(const float *x, const int64_t *k)
{
    return in(x, k[1] % C, k[2], k[3]);
}

static double crop(const float *x, const int64_t *k) /* offsets 1 and 2 */
{
    return in(x, k[1], k[2] + 1, k[3] + 2);
}

static double padding(const float *x, const int64_t *k) /* left 1, right 2, top 3, bottom 0, value 7 */
{
    return k[2] < 3 || k[3] < 1 || k[3] > W ? 7 : in(x, k[1], k[2] - 3, k[3] - 1);
}

static double upsample(const float *x, const int64_t *k) /* 3 rows, 2 columns a pixel */
{
    return in(x, k[1], k[2] / 3, k[3] / 2);
}

/* Bilinear with aligned corners, of rows [r0, r0 + rows) and columns [c0, c0 + columns). */
static double aligned(const float *x, int64_t channel, int64_t h, int64_t w, const int64_t window[4], int64_t out_h,
                      int64_t out_w)
{
    double y = (double)h * (double)(window[1] - 1) / (double)(out_h - 1);
    double z = (double)w * (double)(window[3] - 1) / (double)(out_w - 1), sum = 0;

    for (int64_t i = 0; i < window[1]; i++)
        for (int64_t j = 0; j < window[3]; j++)
            sum += fmax(0, 1 - fabs(y - (double)i)) * fmax(0, 1 - fabs(z - (double)j)) *
                   in(x, channel, window[0] + i, window[2] + j);
    return sum;
}

static double interp_zoom(const float *x, const int64_t *k) /* zoom 3: 6 -> 16, 4 -> 10 */
{
    return aligned(x, k[1], k[2], k[3], (const int64_t[]){0, H, 0, W}, 16, 10);
}

static double interp_shrink(const float *x, const int64_t *k) /* 5 rows after the cut -> 3, 3 columns -> 2 */
{
    return aligned(x, k[1], k[2], k[3], (const int64_t[]){1, H - 1, 1, W - 1}, 3, 2);
}

static double interp_size(const float *x, const int64_t *k)
{
    return aligned(x, k[1], k[2], k[3], (const int64_t[]){0, H, 0, W}, 9, 5);
}

/* ---- Reducing */

static double sum_of_magnitudes(const float *x, const int64_t *k)
{
    double sum = 0;

    for (int64_t i = 0; i < H * W; i++)
        sum += fabs(in(x, k[1], i / W, i % W));
    return sum * 0.5;
}

static double sum_of_squares(const float *x, const int64_t *k)
{
    return moment(x, k[1], k[1] + 1, 2, 0);
}

static double mean_of_rows(const float *x, const int64_t *k)
{
    double sum = 0;

    for (int64_t w = 0; w < W; w++)
        sum += in(x, k[1], k[2], w);
    return sum / W;
}

#define ONE(type, more) "layer { name: 'x' type: '" type "' bottom: 'data' top: 'x' " more " }\n"
#define GLOBAL                                                                                                         \
    "layer { name: 'g' type: 'Pooling' bottom: 'data' top: 'g' pooling_param { pool: AVE global_pooling: true } }\n"

static const struct {
    const char *text, *weights, *shape;
    double (*at)(const float *x, const int64_t *k);
} layers[] = {
    {ONE("DepthwiseConvolution", "convolution_param { num_output: 8 kernel_size: 3 pad: 1 }"), "x:8x1x3x3,8", "1x8x6x4",
     conv_depthwise},
    {ONE("Convolution", "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 1 stride_h: 2 stride_w: 1 dilation: 2 "
                        "group: 2 }"),
     "x:2x4x3x1,2", "1x2x1x4", conv_dilated},
    {ONE("Deconvolution", "convolution_param { num_output: 8 kernel_size: 4 stride: 2 pad: 1 group: 8 bias_term: false "
                          "}"),
     "x:8x1x4x4", "1x8x12x8", deconv},
    {ONE("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"), NULL, "1x8x4x3", average_pool},
    {ONE("Pooling", "pooling_param { kernel_size: 3 stride: 2 }"), NULL, "1x8x3x2", max_pool},
    {ONE("SPP", "spp_param { pyramid_height: 2 }"), NULL, "1x40", pyramid},
    {ONE("InnerProduct", "inner_product_param { num_output: 5 }"), "x:5x192,5", "1x5", inner_product},
    {ONE("InnerProduct", "inner_product_param { num_output: 5 axis: 2 }"), "x:5x24,5", "1x8x5", inner_product_of_rows},
    {ONE("InnerProduct", "inner_product_param { num_output: 5 axis: -1 transpose: true bias_term: false }"), "x:4x5",
     "1x8x6x5", inner_product_transposed},
    {"layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'rest' slice_param { axis: 2 slice_point: 1 } }"
     "layer { name: 't' type: 'Slice' bottom: 'a' top: 'b' top: 'c' slice_param { axis: 3 slice_point: 3 } }"
     "layer { name: 'x' type: 'MatMul' bottom: 'b' bottom: 'data' top: 'x' "
     "matmul_param { dim_1: 1 dim_2: 24 dim_3: 8 } }"
     "layer { name: 'q' type: 'Silence' bottom: 'rest' bottom: 'c' }",
     NULL, "1x8", matmul},

    {ONE("BatchNorm", "batch_norm_param { eps: 0.5 }"), "x:8,8,1", "1x8x6x4", batch_norm},
    {ONE("BN", "bn_param { eps: 0.5 }"), "x:1x8x1x1,1x8x1x1,1x8x1x1,1x8x1x1", "1x8x6x4", bn},
    {ONE("BN", "bn_param { bn_mode: INFERENCE }"), "x:1x8x1x1,1x8x1x1", "1x8x6x4", scale_and_bias},
    {ONE("Scale", "scale_param { bias_term: true }"), "x:8,8", "1x8x6x4", scale_and_bias},
    {ONE("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }"), NULL, "1x8x6x4", lrn_across},
    {ONE("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 norm_region: WITHIN_CHANNEL }"), NULL, "1x8x6x4",
     lrn_within},
    {ONE("MVN", "mvn_param { eps: 0.25 }"), NULL, "1x8x6x4", mvn},
    {ONE("MVN", "mvn_param { normalize_variance: false across_channels: true }"), NULL, "1x8x6x4", mvn_mean},
    {ONE("Normalize", "norm_param { across_spatial: false channel_shared: false eps: 0.5 }"), "x:8", "1x8x6x4",
     normalize_pixels},
    {ONE("Normalize", ""), "x:1", "1x8x6x4", normalize_record},
    {ONE("Softmax", ""), NULL, "1x8x6x4", softmax},

    {ONE("ReLU", "relu_param { negative_slope: 0.25 }"), NULL, "1x8x6x4", relu_leaky},
    {ONE("ReLU", "relu_param { upper_limit: 1.5 }"), NULL, "1x8x6x4", relu_limited},
    {ONE("ReLU6", ""), NULL, "1x8x6x4", relu6},
    {ONE("PReLU", ""), "x:8", "1x8x6x4", prelu},
    {ONE("ELU", "elu_param { alpha: 0.5 }"), NULL, "1x8x6x4", elu},
    {ONE("Sigmoid", ""), NULL, "1x8x6x4", sigmoid},
    {ONE("TanH", ""), NULL, "1x8x6x4", tanh_of},
    {ONE("AbsVal", ""), NULL, "1x8x6x4", absolute},
    {ONE("BNLL", ""), NULL, "1x8x6x4", bnll},
    {ONE("Swish", "swish_param { beta: 2 }"), NULL, "1x8x6x4", swish},
    {ONE("Clip", "clip_param { min: -0.5 max: 1 }"), NULL, "1x8x6x4", clip},
    {ONE("Power", "power_param { power: 3 scale: 0.5 shift: 3 }"), NULL, "1x8x6x4", power},
    {ONE("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }"), NULL, "1x8x6x4", exponential},
    {ONE("Log", "log_param { base: 10 scale: 0.5 shift: 3 }"), NULL, "1x8x6x4", logarithm},
    {"layer { name: 'q' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'q' eltwise_param { operation: PROD } }"
     "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' bottom: 'q' top: 'x' "
     "eltwise_param { coeff: [1, 0.5, -1] } }",
     NULL, "1x8x6x4", sum_of_three},
    {GLOBAL "layer { name: 'x' type: 'Axpy' bottom: 'g' bottom: 'data' bottom: 'data' top: 'x' }", NULL, "1x8x6x4",
     axpy},
    {GLOBAL "layer { name: 'f' type: 'Flatten' bottom: 'g' top: 'f' }"
            "layer { name: 'x' type: 'Axpy' bottom: 'f' bottom: 'data' bottom: 'data' top: 'x' }",
     NULL, "1x8x6x4", axpy},
    {ONE("Dropout", ""), NULL, "1x8x6x4", identity},
    {"layer { name: 'l' type: 'SigmoidCrossEntropyLoss' bottom: 'data' bottom: 'label' top: 'loss' }", NULL, "1x8x6x4",
     sigmoid},
    {"layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'label' top: 'loss' top: 'prob' }", NULL,
     "1x8x6x4", softmax},
    {"layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'label' }", NULL, "1x8x6x4", softmax},

    {ONE("Flatten", ""), NULL, "1x192", flatten},
    {ONE("Reshape", "reshape_param { shape { dim: [0, -1] } }"), NULL, "1x192", flatten},
    {ONE("Permute", "permute_param { order: [0, 2, 3, 1] }"), NULL, "1x6x4x8", permute},
    {"layer { name: 'x' type: 'Slice' bottom: 'data' top: 'a' top: 'x' slice_param { slice_point: 3 } }"
     "layer { name: 'q' type: 'Silence' bottom: 'a' }",
     NULL, "1x5x6x4", slice},
    {ONE("ShuffleChannel", "shuffle_channel_param { group: 2 }"), NULL, "1x8x6x4", shuffle},
    {ONE("Reorg", "reorg_param { stride: 2 }"), NULL, "1x32x3x2", reorg},
    {ONE("Reorg", "reorg_param { stride: 2 reverse: true }"), NULL, "1x2x12x8", reorg_reverse},
    {ONE("Reverse", "reverse_param { axis: 2 }"), NULL, "1x8x6x4", reverse},
    {ONE("Tile", "tile_param { tiles: 3 }"), NULL, "1x24x6x4", tile},
    {"layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }"
     "layer { name: 'x' type: 'Crop' bottom: 'data' bottom: 'p' top: 'x' crop_param { offset: [1, 2] } }",
     NULL, "1x8x3x2", crop},
    {ONE("Padding", "padding_param { pad_l: 1 pad_r: 2 pad_t: 3 pad_value: 7 }"), NULL, "1x8x9x7", padding},
    {ONE("Upsample", "upsample_param { scale_h: 3 scale_w: 2 }"), NULL, "1x8x18x8", upsample},
    {ONE("Upsample", "upsample_param { upsample_h: 18 upsample_w: 8 }"), NULL, "1x8x18x8", upsample},
    {ONE("Interp", "interp_param { zoom_factor: 3 }"), NULL, "1x8x16x10", interp_zoom},
    {ONE("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 }"), NULL, "1x8x3x2", interp_shrink},
    {ONE("Interp", "interp_param { height: 9 width: 5 }"), NULL, "1x8x9x5", interp_size},
    {ONE("Reduction", "reduction_param { operation: ASUM axis: 2 coeff: 0.5 }"), NULL, "1x8", sum_of_magnitudes},
    {ONE("Reduction", "reduction_param { operation: SUMSQ axis: 2 }"), NULL, "1x8", sum_of_squares},
    {ONE("Reduction", "reduction_param { operation: MEAN axis: -1 }"), NULL, "1x8x6", mean_of_rows},
};

/* The network's only output for `x`, through passes and engine; freed by the caller. */
static float *run(struct graph *graph, const float *x)
{
    struct error err = {0};
    struct engine *engine = NULL;
    size_t n;
    float *y;

    if (graph_normalise(graph, &err) != 0 || (engine = engine_create(graph, 1, NULL, &err)) == NULL ||
        engine_run(engine, &x, 1, NULL, NULL, &err) != 0)
        fail_msg("%s", err.text);
    n = (size_t)shape_elements(&graph->values[graph->outputs[0]].shape);
    y = malloc(n * sizeof *y);
    assert_non_null(y);
    memcpy(y, engine_output(engine, 0), n * sizeof *y);
    engine_destroy(engine);
    return y;
}

static void compare(const char *text, const struct shape *shape, const float *found, const float *x,
                    double (*at)(const float *x, const int64_t *k))
{
    int64_t n = shape_elements(shape), k[TENSOR_MAX_RANK];
    double largest = 1e-3;

    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)found[i]));
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i;

        for (size_t axis = shape->rank; axis-- > 0; rest /= shape->dims[axis])
            k[axis] = rest % shape->dims[axis];
        if (!(fabs(at(x, k) - (double)found[i]) <= TOLERANCE * largest))
            fail_msg("%s: element %lld: expected %.9g, found %.9g", text, (long long)i, at(x, k), (double)found[i]);
    }
}

static const char input[] =
    "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 8, 6, 4] } } }"
    "layer { name: 'label' type: 'Input' top: 'label' input_param { shape { dim: [1, 1] } } }";

static void each_layer_computes_what_caffe_does(void **state)
{
    float x[C * H * W];

    for (size_t i = 0; i < C * H * W; i++) /* both signs, no two neighbours alike */
        x[i] = (float)((double)((i * 37) % 101) / 101 * 4 - 2);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char text[2048], shape[SHAPE_TEXT_BYTES];
        struct graph *graph;
        float *y;

        snprintf(text, sizeof text, "%s%s", input, layers[i].text);
        graph = must_import(*state, text, layers[i].weights, NULL);
        assert_int_equal(graph->n_inputs, 1);
        assert_int_equal(graph->n_outputs, 1);
        y = run(graph, x);
        shape_text(&graph->values[graph->outputs[0]].shape, shape);
        if (strcmp(shape, layers[i].shape) != 0)
            fail_msg("%s: expected shape %s, found %s", layers[i].text, layers[i].shape, shape);
        compare(layers[i].text, &graph->values[graph->outputs[0]].shape, y, x, layers[i].at);
        free(y);
        graph_destroy(graph);
    }
}

/* Grid 2x2 on 8x8 pixels, so step 4: cell 0 has its centre at 2, 2. Sizes: 2; sqrt(2 8) = 4; 4 sqrt 2 x 4 / sqrt 2 and
 * turned. In eighths of the image. */
static void prior_boxes_are_those_of_the_ssd_branch(void **state)
{
    static const char text[] =
        "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 8, 8] } } }"
        "layer { name: 'g' type: 'Pooling' bottom: 'data' top: 'g' pooling_param { kernel_size: 4 stride: 4 } }"
        "layer { name: 'p' type: 'PriorBox' bottom: 'g' bottom: 'data' top: 'p' prior_box_param { min_size: 2 "
        "max_size: 8 aspect_ratio: 2 aspect_ratio: 1 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }"
        "layer { name: 'r' type: 'Reshape' bottom: 'data' top: 'r' reshape_param { shape { dim: [0, 2, -1] } } }"
        "layer { name: 'x' type: 'Eltwise' bottom: 'r' bottom: 'p' top: 'x' }";
    const double a = 2 * M_SQRT2 / 8, b = M_SQRT2 / 8, c = 0.25; /* halves of the last two; the centre */
    const double expected[] = {c - 0.125, c - 0.125, c + 0.125, c + 0.125, 0,     0,     0.5,   0.5,
                               c - a,     c - b,     c + a,     c + b,     c - b, c - a, c + b, c + a};
    const float zeros[128] = {0};
    struct graph *graph = must_import(*state, text, NULL, NULL);
    float *y = run(graph, zeros);

    for (size_t cell = 0; cell < 4; cell++)
        for (size_t i = 0; i < 16; i++) {
            double shift = 0.5 * (double)(i % 2 == 0 ? cell % 2 : cell / 2); /* x moves first */

            assert_true(fabs((double)y[cell * 16 + i] - expected[i] - shift) < 1e-6);
            assert_true(fabs((double)y[64 + cell * 16 + i] - (i % 4 < 2 ? 0.1 : 0.2)) < 1e-6);
        }
    free(y);
    graph_destroy(graph);
}

static void a_parameter_is_a_constant_top(void **state)
{
    static const char text[] =
        "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 3] } } }"
        "layer { name: 'p' type: 'Parameter' top: 'p' parameter_param { shape { dim: [1, 2, 3] } } }"
        "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'p' top: 'x' }";
    const float zeros[6] = {0};
    struct graph *graph = must_import(*state, text, "p:1x2x3", NULL);
    float *y = run(graph, zeros);

    for (size_t i = 0; i < 6; i++)
        assert_true(y[i] == caffe_value(0, i));
    free(y);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_layer_computes_what_caffe_does),
        cmocka_unit_test(prior_boxes_are_those_of_the_ssd_branch),
        cmocka_unit_test(a_parameter_is_a_constant_top),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
