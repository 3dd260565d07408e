/* layers.c — the table of layer types. */
#include "formats/caffe/layers.h"

#include <string.h>

static const struct caffe_kind kinds[] = {
    {"Input", CAFFE_INPUT, caffe_input, NULL},
    {"DummyData", CAFFE_INPUT, caffe_input, NULL},
    {"AnnotatedData", CAFFE_DATA, caffe_input, NULL},
    {"Data", CAFFE_DATA, caffe_input, NULL},
    {"HDF5Data", CAFFE_DATA, caffe_input, NULL},
    {"ImageData", CAFFE_DATA, caffe_input, NULL},
    {"MemoryData", CAFFE_DATA, caffe_input, NULL},
    {"VideoData", CAFFE_DATA, caffe_input, NULL},
    {"WindowData", CAFFE_DATA, caffe_input, NULL},

    {"Convolution", CAFFE_COMPUTES, caffe_convolution, NULL},
    {"ConvolutionDepthwise", CAFFE_COMPUTES, caffe_convolution, NULL},
    {"DepthwiseConvolution", CAFFE_COMPUTES, caffe_convolution, NULL},
    {"Deconvolution", CAFFE_COMPUTES, caffe_deconvolution, NULL},
    {"Pooling", CAFFE_COMPUTES, caffe_pooling, NULL},
    {"SPP", CAFFE_COMPUTES, caffe_spp, NULL},

    {"LRN", CAFFE_COMPUTES, caffe_lrn, NULL},
    {"MVN", CAFFE_COMPUTES, caffe_mvn, NULL},
    {"Normalize", CAFFE_COMPUTES, caffe_l2_normalize, NULL},

    {"InnerProduct", CAFFE_COMPUTES, caffe_inner_product, NULL},
    {"MatMul", CAFFE_COMPUTES, caffe_matmul, NULL},
    {"BatchNorm", CAFFE_COMPUTES, caffe_batch_norm, NULL},
    {"BN", CAFFE_COMPUTES, caffe_bn, NULL},
    {"Scale", CAFFE_COMPUTES, caffe_scale, NULL},
    {"Bias", CAFFE_COMPUTES, caffe_bias, NULL},

    {"AbsVal", CAFFE_COMPUTES, caffe_abs, NULL},
    {"BNLL", CAFFE_COMPUTES, caffe_bnll, NULL},
    {"Clip", CAFFE_COMPUTES, caffe_clip, NULL},
    {"ELU", CAFFE_COMPUTES, caffe_elu, NULL},
    {"Exp", CAFFE_COMPUTES, caffe_exp, NULL},
    {"Log", CAFFE_COMPUTES, caffe_log, NULL},
    {"PReLU", CAFFE_COMPUTES, caffe_prelu, NULL},
    {"Power", CAFFE_COMPUTES, caffe_power, NULL},
    {"ReLU", CAFFE_COMPUTES, caffe_relu, NULL},
    {"ReLU6", CAFFE_COMPUTES, caffe_relu6, NULL},
    {"Sigmoid", CAFFE_COMPUTES, caffe_sigmoid, NULL},
    {"Swish", CAFFE_COMPUTES, caffe_swish, NULL},
    {"TanH", CAFFE_COMPUTES, caffe_tanh, NULL},
    {"Dropout", CAFFE_REPEATS, caffe_identity, NULL},
    {"Split", CAFFE_REPEATS, caffe_identity, NULL},
    {"Axpy", CAFFE_COMPUTES, caffe_axpy, NULL},
    {"Eltwise", CAFFE_COMPUTES, caffe_eltwise, NULL},

    {"Concat", CAFFE_COMPUTES, caffe_concat, NULL},
    {"Flatten", CAFFE_COMPUTES, caffe_flatten, NULL},
    {"Permute", CAFFE_COMPUTES, caffe_permute, NULL},
    {"Reduction", CAFFE_COMPUTES, caffe_reduction, NULL},
    {"Reshape", CAFFE_COMPUTES, caffe_reshape, NULL},
    {"Slice", CAFFE_COMPUTES, caffe_slice, NULL},
    {"Softmax", CAFFE_COMPUTES, caffe_softmax, NULL},

    {"Crop", CAFFE_COMPUTES, caffe_crop, NULL},
    {"Interp", CAFFE_COMPUTES, caffe_interp, NULL},
    {"Padding", CAFFE_COMPUTES, caffe_padding, NULL},
    {"Reorg", CAFFE_COMPUTES, caffe_reorg, NULL},
    {"Reverse", CAFFE_COMPUTES, caffe_reverse, NULL},
    {"ShuffleChannel", CAFFE_COMPUTES, caffe_shuffle_channel, NULL},
    {"Tile", CAFFE_COMPUTES, caffe_tile, NULL},
    {"Upsample", CAFFE_COMPUTES, caffe_upsample, NULL},
    {"Parameter", CAFFE_COMPUTES, caffe_parameter, NULL},
    {"PriorBox", CAFFE_COMPUTES, caffe_prior_box, NULL},

    {"SigmoidCrossEntropyLoss", CAFFE_LOSS_HEAD, caffe_sigmoid, NULL},
    {"SoftmaxWithLoss", CAFFE_LOSS_HEAD, caffe_softmax, NULL},

    {"Accuracy", CAFFE_MEASURES, NULL, NULL},
    {"ContrastiveLoss", CAFFE_MEASURES, NULL, NULL},
    {"DetectionEvaluate", CAFFE_MEASURES, NULL, NULL},
    {"EuclideanLoss", CAFFE_MEASURES, NULL, NULL},
    {"HDF5Output", CAFFE_MEASURES, NULL, NULL},
    {"HingeLoss", CAFFE_MEASURES, NULL, NULL},
    {"InfogainLoss", CAFFE_MEASURES, NULL, NULL},
    {"MultiBoxLoss", CAFFE_MEASURES, NULL, NULL},
    {"MultinomialLogisticLoss", CAFFE_MEASURES, NULL, NULL},
    {"SmoothL1Loss", CAFFE_MEASURES, NULL, NULL},
    {"Silence", CAFFE_SWALLOWS, NULL, NULL},

    {"ArgMax", CAFFE_DECODES, NULL, NULL},
    {"DetectionOutput", CAFFE_DECODES, NULL, NULL},
    {"FrcnDetection", CAFFE_DECODES, NULL, NULL},
    {"RetinaFaceDetection", CAFFE_DECODES, NULL, NULL},
    {"YoloDetection", CAFFE_DECODES, NULL, NULL},

    {"BatchReindex", CAFFE_REFUSED, NULL, "it chooses records of a batch"},
    {"Embed", CAFFE_REFUSED, NULL, "its bottom holds indices, which have no int8 form"},
    {"Filter", CAFFE_REFUSED, NULL, "it chooses records of a batch"},
    {"Im2col", CAFFE_REFUSED, NULL, "it is a step inside Convolution"},
    {"LSTM", CAFFE_REFUSED, NULL, "it carries state from record to record"},
    {"Proposal", CAFFE_REFUSED, NULL, "how many regions it makes depends on the image"},
    {"PSROIPooling", CAFFE_REFUSED, NULL, "its regions depend on the image"},
    {"Python", CAFFE_REFUSED, NULL, "it runs a program of yours"},
    {"RNN", CAFFE_REFUSED, NULL, "it carries state from record to record"},
    {"ROIPooling", CAFFE_REFUSED, NULL, "its regions depend on the image"},
    {"Threshold", CAFFE_REFUSED, NULL, "a step function has no int8 form"},
};

const struct caffe_kind *caffe_kind_find(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}
