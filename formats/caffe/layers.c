/* layers.c — the table of layer types. */
#include "formats/caffe/layers.h"

#include <string.h>

static const struct caffe_kind kinds[] = {
    {"Input", CAFFE_INPUT, caffe_input},
    {"DummyData", CAFFE_INPUT, caffe_input},
    {"AnnotatedData", CAFFE_DATA, caffe_input},
    {"Data", CAFFE_DATA, caffe_input},
    {"HDF5Data", CAFFE_DATA, caffe_input},
    {"ImageData", CAFFE_DATA, caffe_input},
    {"MemoryData", CAFFE_DATA, caffe_input},
    {"WindowData", CAFFE_DATA, caffe_input},

    {"Convolution", CAFFE_COMPUTES, caffe_convolution},
    {"ConvolutionDepthwise", CAFFE_COMPUTES, caffe_convolution},
    {"DepthwiseConvolution", CAFFE_COMPUTES, caffe_convolution},
    {"Deconvolution", CAFFE_COMPUTES, caffe_deconvolution},
    {"Pooling", CAFFE_COMPUTES, caffe_pooling},
    {"LRN", CAFFE_COMPUTES, caffe_lrn},

    {"InnerProduct", CAFFE_COMPUTES, caffe_inner_product},
    {"BatchNorm", CAFFE_COMPUTES, caffe_batch_norm},
    {"Scale", CAFFE_COMPUTES, caffe_scale},
    {"Bias", CAFFE_COMPUTES, caffe_bias},

    {"AbsVal", CAFFE_COMPUTES, caffe_abs},
    {"BNLL", CAFFE_COMPUTES, caffe_bnll},
    {"Clip", CAFFE_COMPUTES, caffe_clip},
    {"ELU", CAFFE_COMPUTES, caffe_elu},
    {"Eltwise", CAFFE_COMPUTES, caffe_eltwise},
    {"Exp", CAFFE_COMPUTES, caffe_exp},
    {"Log", CAFFE_COMPUTES, caffe_log},
    {"PReLU", CAFFE_COMPUTES, caffe_prelu},
    {"Power", CAFFE_COMPUTES, caffe_power},
    {"ReLU", CAFFE_COMPUTES, caffe_relu},
    {"ReLU6", CAFFE_COMPUTES, caffe_relu6},
    {"Sigmoid", CAFFE_COMPUTES, caffe_sigmoid},
    {"Swish", CAFFE_COMPUTES, caffe_swish},
    {"TanH", CAFFE_COMPUTES, caffe_tanh},
    {"Dropout", CAFFE_REPEATS, caffe_identity},
    {"Split", CAFFE_REPEATS, caffe_identity},

    {"Concat", CAFFE_COMPUTES, caffe_concat},
    {"Flatten", CAFFE_COMPUTES, caffe_flatten},
    {"Permute", CAFFE_COMPUTES, caffe_permute},
    {"Reduction", CAFFE_COMPUTES, caffe_reduction},
    {"Reshape", CAFFE_COMPUTES, caffe_reshape},
    {"Slice", CAFFE_COMPUTES, caffe_slice},
    {"Softmax", CAFFE_COMPUTES, caffe_softmax},
    {"SoftmaxWithLoss", CAFFE_LOSS_HEAD, caffe_softmax}, /* at test time its prediction is the softmax */

    {"Accuracy", CAFFE_MEASURES, NULL},
    {"ContrastiveLoss", CAFFE_MEASURES, NULL},
    {"DetectionEvaluate", CAFFE_MEASURES, NULL},
    {"EuclideanLoss", CAFFE_MEASURES, NULL},
    {"HDF5Output", CAFFE_MEASURES, NULL},
    {"HingeLoss", CAFFE_MEASURES, NULL},
    {"InfogainLoss", CAFFE_MEASURES, NULL},
    {"MultiBoxLoss", CAFFE_MEASURES, NULL},
    {"MultinomialLogisticLoss", CAFFE_MEASURES, NULL},
    {"SigmoidCrossEntropyLoss", CAFFE_MEASURES, NULL},
    {"Silence", CAFFE_SWALLOWS, NULL},
};

const struct caffe_kind *caffe_kind_find(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}
