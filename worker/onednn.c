/* onednn.c — the version-dependent side of oneDNN; see onednn.h. */
#include "worker/onednn.h"

#include <omp.h>
#include <pthread.h>
#include <string.h>

static const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "unimplemented";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "unexpected failure";
    }
}

int onednn_check(dnnl_status_t status, const char *what, struct error *err)
{
    int code = EX_SOFTWARE;

    if (status == dnnl_success)
        return 0;
    if (status == dnnl_out_of_memory)
        code = EX_OSERR;
    if (status == dnnl_unimplemented)
        code = EX_UNAVAILABLE;
    return error_set(err, code, "oneDNN: %s: %s", what, status_text(status));
}

static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static dnnl_engine_t the_engine;
static dnnl_status_t engine_status;

static void create_engine(void)
{
    engine_status = dnnl_engine_create(&the_engine, dnnl_cpu, 0);
}

dnnl_engine_t onednn_engine(struct error *err)
{
    pthread_once(&engine_once, create_engine);
    return onednn_check(engine_status, "create an engine", err) == 0 ? the_engine : NULL;
}

void onednn_use_one_thread(void)
{
    omp_set_num_threads(1);
}

/* Descriptors of valid dims and known tags cannot fail; a zero descriptor is refused by whatever uses it next. */
static dnnl_memory_desc_t by_tag(const int64_t *dims, size_t rank, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md;

    if (dnnl_memory_desc_init_by_tag(&md, (int)rank, dims, dnnl_f32, tag) != dnnl_success)
        memset(&md, 0, sizeof md);
    return md;
}

dnnl_memory_desc_t onednn_layout(const int64_t dims[ONEDNN_RANK], size_t block)
{
    switch (block) {
    case 0:
        return by_tag(dims, ONEDNN_RANK, dnnl_format_tag_any);
    case 1:
        return by_tag(dims, ONEDNN_RANK, dnnl_nchw);
    case 8:
        return by_tag(dims, ONEDNN_RANK, dnnl_nChw8c);
    case 16:
        return by_tag(dims, ONEDNN_RANK, dnnl_nChw16c);
    default:
        return by_tag(dims, ONEDNN_RANK, dnnl_nhwc);
    }
}

dnnl_memory_desc_t onednn_plain(const int64_t *dims, size_t rank)
{
    return onednn_strided(dims, NULL, rank);
}

dnnl_memory_desc_t onednn_strided(const int64_t *dims, const int64_t *strides, size_t rank)
{
    dnnl_memory_desc_t md;

    if (dnnl_memory_desc_init_by_strides(&md, (int)rank, dims, dnnl_f32, strides) != dnnl_success)
        memset(&md, 0, sizeof md);
    return md;
}

dnnl_memory_desc_t onednn_any(const int64_t *dims, size_t rank)
{
    return by_tag(dims, rank, dnnl_format_tag_any);
}

size_t onednn_block(const dnnl_memory_desc_t *md)
{
    const size_t candidates[] = {1, 8, 16, (size_t)md->dims[1]};

    if (md->ndims != ONEDNN_RANK)
        return 0;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        dnnl_memory_desc_t candidate = onednn_layout(md->dims, candidates[i]);

        if (dnnl_memory_desc_equal(&candidate, md))
            return candidates[i];
    }
    /* With 8 or 16 channels NHWC and nChw8c or nChw16c are the same bytes under two descriptions. */
    {
        dnnl_memory_desc_t nhwc = by_tag(md->dims, ONEDNN_RANK, dnnl_nhwc);

        return dnnl_memory_desc_equal(&nhwc, md) ? (size_t)md->dims[1] : 0;
    }
}

bool onednn_layouts_coincide(const int64_t dims[ONEDNN_RANK], size_t block, size_t other)
{
    if (block == other)
        return true;
    /* Without rows and columns every layout is a row of channels, unless the last block is padded. */
    return dims[2] * dims[3] == 1 && dims[1] % (int64_t)block == 0 && dims[1] % (int64_t)other == 0;
}

bool onednn_eltwise_chain(struct activation activation, struct onednn_eltwise chain[ONEDNN_MAX_CHAIN], size_t *n)
{
    float alpha = activation.alpha, beta = activation.beta;
    struct onednn_eltwise one = {dnnl_alg_kind_undef, 0, 0};

    switch (activation.kind) {
    case ACTIVATION_NONE:
        *n = 0;
        return true;
    case ACTIVATION_RELU:
        one = (struct onednn_eltwise){dnnl_eltwise_relu, 0, 0};
        break;
    case ACTIVATION_LEAKY_RELU:
        one = (struct onednn_eltwise){dnnl_eltwise_relu, alpha, 0};
        break;
    case ACTIVATION_CLIP:
        one = (struct onednn_eltwise){dnnl_eltwise_clip, alpha, beta};
        break;
    case ACTIVATION_SIGMOID:
        one.kind = dnnl_eltwise_logistic;
        break;
    case ACTIVATION_TANH:
        one.kind = dnnl_eltwise_tanh;
        break;
    case ACTIVATION_ELU:
        one = (struct onednn_eltwise){dnnl_eltwise_elu, alpha, 0};
        break;
    case ACTIVATION_SWISH:
        one = (struct onednn_eltwise){dnnl_eltwise_swish, alpha, 0};
        break;
    case ACTIVATION_HARD_SIGMOID:
        chain[0] = (struct onednn_eltwise){dnnl_eltwise_linear, alpha, beta};
        chain[1] = (struct onednn_eltwise){dnnl_eltwise_clip, 0, 1};
        *n = 2;
        return true;
    case ACTIVATION_HARD_SWISH: /* 2.6 knows only x ReLU6(x + 3) / 6 */
        if (alpha == 1.0f / 6 && beta == 0.5f)
            one.kind = dnnl_eltwise_hardswish;
        break;
    case ACTIVATION_SOFTPLUS:
        one.kind = dnnl_eltwise_soft_relu;
        break;
    case ACTIVATION_EXP:
        one.kind = dnnl_eltwise_exp;
        break;
    case ACTIVATION_ABS:
        one.kind = dnnl_eltwise_abs;
        break;
    case ACTIVATION_SQRT:
        one.kind = dnnl_eltwise_sqrt;
        break;
    case ACTIVATION_GELU:
        one.kind = dnnl_eltwise_gelu_erf;
        break;
    case ACTIVATION_POWER:
        one = (struct onednn_eltwise){dnnl_eltwise_pow, 1, alpha};
        break;
    case ACTIVATION_MISH:
        one.kind = dnnl_eltwise_mish;
        break;
    case ACTIVATION_GELU_TANH:
        one.kind = dnnl_eltwise_gelu_tanh;
        break;
    case ACTIVATION_LOG: /* the library's is off by 1e-6 near 1, where the logarithm vanishes */
    case ACTIVATION_ERF:
    case ACTIVATION_THRESHOLDED_RELU:
    case ACTIVATION_FLOOR:
    case ACTIVATION_CEIL:
    case ACTIVATION_ROUND:
    case ACTIVATION_SIGN:
    case ACTIVATION_COUNT:
        break;
    }
    chain[0] = one;
    *n = 1;
    return one.kind != dnnl_alg_kind_undef;
}

dnnl_primitive_attr_t onednn_attributes(struct activation fused, struct error *err)
{
    struct onednn_eltwise chain[ONEDNN_MAX_CHAIN];
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status;
    size_t n = 0;

    if (!onednn_eltwise_chain(fused, chain, &n)) {
        error_set(err, EX_UNAVAILABLE, "oneDNN has no %s", activation_name(fused.kind));
        return NULL;
    }
    if (onednn_check(dnnl_primitive_attr_create(&attr), "create attributes", err) != 0)
        return NULL;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && n > 0)
        status = dnnl_post_ops_create(&ops);
    for (size_t i = 0; i < n && status == dnnl_success; i++)
        status = dnnl_post_ops_append_eltwise(ops, 1.0f, chain[i].kind, chain[i].alpha, chain[i].beta);
    if (status == dnnl_success && n > 0)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    if (onednn_check(status, "set attributes", err) != 0) {
        dnnl_primitive_attr_destroy(attr);
        return NULL;
    }
    return attr;
}

const char *onednn_implementation(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;

    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success || name == NULL)
        return "unknown";
    return name;
}

static const struct {
    const char *name;
    dnnl_cpu_isa_t isa;
} isas[] = {
    {"sse41", dnnl_cpu_isa_sse41},
    {"avx", dnnl_cpu_isa_avx},
    {"avx2", dnnl_cpu_isa_avx2},
    {"avx2_vnni", dnnl_cpu_isa_avx2_vnni},
    {"avx512_core", dnnl_cpu_isa_avx512_core},
    {"avx512_core_vnni", dnnl_cpu_isa_avx512_core_vnni},
    {"avx512_core_bf16", dnnl_cpu_isa_avx512_core_bf16},
    {"avx512_core_amx", dnnl_cpu_isa_avx512_core_amx},
};

const char *onednn_isa(void)
{
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();

    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        if (isas[i].isa == isa)
            return isas[i].name;
    return "other";
}

int onednn_pin_isa(const char *name, struct error *err)
{
    static const char *pinned; /* once a process */

    if (pinned != NULL)
        return strcmp(name, pinned) == 0
                   ? 0
                   : error_set(err, EX_UNAVAILABLE, "engine.isa: \"%s\": this process is limited to \"%s\" already",
                               name, pinned);
    if (strcmp(name, "native") == 0)
        return 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        dnnl_status_t status;

        if (strcmp(name, isas[i].name) != 0)
            continue;
        status = dnnl_set_max_cpu_isa(isas[i].isa);
        if (status == dnnl_invalid_arguments)
            return error_set(err, EX_SOFTWARE, "engine.isa: \"%s\" must be set before the library is first used", name);
        if (onednn_check(status, "limit the instruction set", err) != 0)
            return -1;
        if (dnnl_get_effective_cpu_isa() != isas[i].isa)
            return error_set(err, EX_UNAVAILABLE, "engine.isa: \"%s\" is beyond this machine, which has \"%s\"", name,
                             onednn_isa());
        pinned = isas[i].name;
        return 0;
    }
    return error_set(err, EX_CONFIG,
                     "engine.isa: \"%s\" is unknown; expected native, sse41, avx2, avx512_core, avx512_core_vnni or "
                     "another name of oneDNN's",
                     name);
}
