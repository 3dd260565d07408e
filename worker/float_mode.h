/* float_mode.h — is floating-point arithmetic what IEEE 754 says it is on this thread, right now?
 *
 * Histograms tell zero from a denormal, and bits are promised: a library that leaves flush-to-zero or another rounding
 * mode behind must be found out at once.
 */
#ifndef ETALON_FLOAT_MODE_H
#define ETALON_FLOAT_MODE_H

#include <stdbool.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <stdint.h>
#endif

/* True when denormals are kept and rounding is to the nearest, ties to even. */
static inline bool float_mode_is_default(void)
{
#if defined(__x86_64__)
    enum { DENORMALS_ARE_ZERO = 1 << 6, ROUNDING = 3 << 13, FLUSH_TO_ZERO = 1 << 15 };

    return (_mm_getcsr() & (unsigned)(DENORMALS_ARE_ZERO | ROUNDING | FLUSH_TO_ZERO)) == 0;
#elif defined(__aarch64__)
    const uint64_t rounding_and_flush = UINT64_C(7) << 22;
    uint64_t fpcr;

    __asm__("mrs %0, fpcr" : "=r"(fpcr));
    return (fpcr & rounding_and_flush) == 0;
#else
    return true;
#endif
}

#endif
