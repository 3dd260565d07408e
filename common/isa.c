/* isa.c — what this processor can do; see isa.h. */
#include "common/isa.h"

#include "common/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[ISA_COUNT] = {
    [ISA_REFERENCE] = "reference",
    [ISA_NEON] = "neon",
    [ISA_AVX2] = "avx2",
    [ISA_AVX512] = "avx512",
};

const char *isa_name(enum isa isa)
{
    return names[isa];
}

bool isa_is_supported(enum isa isa)
{
    switch (isa) {
    case ISA_REFERENCE:
        return true;
#if defined __aarch64__
    case ISA_NEON:
        return true;
#elif defined __x86_64__
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    case ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    default:
        return false;
    }
}

static bool vnni_is_supported(void)
{
#if defined __x86_64__
    return isa_is_supported(ISA_AVX512) && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

static enum isa best;
static bool has_vnni;

static void decide(void)
{
    const char *wanted = getenv("ETALON_ISA");
    enum isa ceiling = ISA_COUNT - 1;

    has_vnni = vnni_is_supported();
    if (wanted != NULL && *wanted != '\0' && !(has_vnni && strcmp(wanted, "avx512_vnni") == 0)) {
        enum isa isa = ISA_REFERENCE;

        while (isa < ISA_COUNT && strcmp(wanted, names[isa]) != 0)
            isa++;
        if (isa == ISA_COUNT || !isa_is_supported(isa)) {
            log_warning("ETALON_ISA=%s is not an instruction set of this machine; using the fastest one", wanted);
        } else {
            ceiling = isa;
            has_vnni = false;
        }
    }
    best = ceiling;
    while (!isa_is_supported(best))
        best--;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

enum isa isa_best(void)
{
    pthread_once(&once, decide);
    return best;
}

bool isa_has_vnni(void)
{
    pthread_once(&once, decide);
    return has_vnni;
}
