/* fuzz_torch.c — PyTorch checkpoints, in both containers. */
#include "fuzz.h"

#include "formats/torch/torch.h"

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct torch_state *state = torch_read(fuzz_file("input.pth", data, size), err);
    int rc = state != NULL ? 0 : -1;

    torch_destroy(state);
    return rc;
}
