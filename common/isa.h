/* isa.h — which instruction set our own vector kernels may use.
 *
 * Every kernel gives the same bits, so this decides speed only. Tests and users lower it with
 * ETALON_ISA=reference|neon|avx2|avx512|avx512_vnni in the environment; a value above the machine's, or an unknown one,
 * is as if it were absent (one warning).
 */
#ifndef ETALON_ISA_H
#define ETALON_ISA_H

#include <stdbool.h>

enum isa {
    ISA_REFERENCE, /* plain C, one value at a time */
    ISA_NEON,      /* every aarch64 */
    ISA_AVX2,      /* AVX2, POPCNT */
    ISA_AVX512,    /* AVX-512 F, BW, DQ, VL */
    ISA_COUNT
};

/* For plain loops that the compiler is to turn into AVX-512. GCC takes half-wide vectors unless told; Clang has no such
 * word and does not take it. */
#ifdef __clang__
#define ISA_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define ISA_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#define ISA_TARGET_AVX2 __attribute__((target("avx2")))

/* For plain loops over exact operations: a version for each level of instructions, of which the processor's own is
 * taken when the program starts. ETALON_ISA does not reach them; tests build them for one level, ETALON_ONE_LEVEL. */
#if defined __x86_64__ && !defined ETALON_ONE_LEVEL
#define ISA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ISA_CLONES
#endif
/* What such a function is made of. */
#define ISA_INLINE __attribute__((always_inline)) static inline

const char *isa_name(enum isa isa); /* "reference", "neon", "avx2", "avx512" */
bool isa_is_supported(enum isa isa);
enum isa isa_best(void); /* supported and not above ETALON_ISA; decided at the first call, thread safe */
/* Has this processor the dot products of AVX-512 VNNI, and does ETALON_ISA not stop below them? Then isa_best() is
 * ISA_AVX512: few kernels know them, so they are no set of their own. */
bool isa_has_vnni(void);

#endif
