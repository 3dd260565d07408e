/* front.h — what the board does to pixels, as nodes in front of a network's input.
 *
 * From integers as the board has them to the network's normalised floats, N x C x H x W:
 *   nv12                <name>_y  uint8 N x H x W x 1 and <name>_uv uint8 N x H/2 x W/2 x 2 (U first)
 *   gray                <name>_pixels uint8 N x H x W x 1
 *   rgb, bgr, yuv444    <name>_pixels int8  N x H x W x 3: the pixel less 128
 * Chroma is repeated, colours are those of ITU-R BT.601 in float, clipped to 0..255: the compiler's own constants are
 * not public, so the board may differ in the last steps.
 */
#ifndef ETALON_HORIZON_FRONT_H
#define ETALON_HORIZON_FRONT_H

#include "formats/horizon/horizon.h"

struct onnx_writer;

/* A struct onnx_qdq_front's function; `horizon` is a const struct horizon. A featuremap stays as it is. */
void horizon_write_front(void *horizon, struct onnx_writer *writer, size_t input, const char *name);

#endif
