/* epochs.c — see epochs.h. */
#include "coordinator/epochs.h"

unsigned epochs_first(uint64_t n_blocks, size_t block_size)
{
    uint64_t least = (EPOCHS_LEAST_RECORDS + block_size - 1) / block_size;
    unsigned halvings = 0;

    if (least < OBSERVE_PARTS)
        least = OBSERVE_PARTS;
    while (n_blocks >> (halvings + 1) >= least)
        halvings++;
    return halvings;
}

/* ceil(n / 2^h), h < 64 */
static uint64_t divide(uint64_t n, unsigned halvings)
{
    return (n >> halvings) + ((n & ((UINT64_C(1) << halvings) - 1)) != 0);
}

void epochs_cut(uint64_t n_blocks, unsigned halvings, uint64_t first_block[OBSERVE_PARTS + 1])
{
    for (uint64_t p = 0; p <= OBSERVE_PARTS; p++) {
        /* ceil(p n / 8), whole and rest apart, for p n may pass 2^64; then ceil of ceil is that of the quotient */
        uint64_t rest = n_blocks % OBSERVE_PARTS * p;

        first_block[p] =
            divide(n_blocks / OBSERVE_PARTS * p + rest / OBSERVE_PARTS + (rest % OBSERVE_PARTS != 0), halvings);
    }
}

uint64_t epochs_end(uint64_t n_blocks, unsigned halvings)
{
    return divide(n_blocks, halvings);
}
