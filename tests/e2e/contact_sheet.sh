#!/usr/bin/env bash
# `etalon inspect JOB.yaml --sheet`: the tiles are what the network is given, computed again with Pillow and numpy.
. "$(dirname "$0")/lib.sh"
need_python PIL
need_python numpy
draw 50 2
cd "$scratch"
demo_job plain
sed 's/channels: rgb/channels: bgr/' plain.yaml >bgr.yaml
for job in plain bgr; do
  for n in 0 2; do
    ranks $n "$ETALON" inspect $job.yaml --sheet $job-$n.png --tiles 10 >$job-$n.txt || fail "inspect on $n ranks"
    cmp $job-0.png $job-$n.png || fail "the sheet depends on the ranks"
    cmp $job-0.txt $job-$n.txt || fail "what is said depends on the ranks"
  done
done
grep -q '^input image, 3x32x32: each tile from its smallest value' plain-0.txt || { cat plain-0.txt >&2; fail "what is said"; }
"$PYTHON" - <<'PYTHON' || fail "the tiles are not what the network is given"
import numpy as np
from PIL import Image

paths = [line.rsplit(" ", 1)[0] for line in open("pictures/calibration.txt")]
for job, order in ("plain", slice(None)), ("bgr", slice(None, None, -1)):
    sheet = np.asarray(Image.open(job + "-0.png"))
    assert sheet.shape == (3 * 100 + 4, 4 * 100 + 4, 3), sheet.shape  # 10 tiles of 96 pixels, gaps of 4
    for i in range(10):
        x = (np.asarray(Image.open("pictures/" + paths[i * 5]).convert("RGB"))[:, :, order] - np.float32(127.5)) / 64
        tile = np.floor((x.astype(np.float64) - x.min()) / (x.max() - x.min()) * 255 + 0.5).astype(np.uint8)
        top, left = 4 + i // 4 * 100, 4 + i % 4 * 100
        assert (sheet[top : top + 96, left : left + 96] == tile.repeat(3, 0).repeat(3, 1)).all(), (job, i)
PYTHON
sed -n 11p pictures/calibration.txt | cut -d' ' -f1 | while read -r path; do echo damaged >"pictures/$path"; done
"$ETALON" inspect plain.yaml --sheet bad.png --tiles 10 >bad.txt 2>stderr || { cat stderr >&2; fail "one bad record"; }
grep -q 'tile 3: record 10 is bad: ' bad.txt || { cat bad.txt >&2; fail "the bad record is named"; }
expect 64 "--sheet FILE.png shows" "$ETALON" inspect plain.yaml
expect 64 "--sheet needs a job" "$ETALON" inspect pictures --sheet x.png
expect 64 "expected 1 to 10000" "$ETALON" inspect plain.yaml --sheet x.png --tiles 0
expect 73 "" "$ETALON" inspect plain.yaml --sheet "bad.txt/x.png"
cp bad.png before.png
expect 73 "bad.png: exists; use --force to replace it" "$ETALON" inspect plain.yaml --sheet bad.png --tiles 5
cmp bad.png before.png || fail "a picture was replaced"
expect 0 "" "$ETALON" inspect plain.yaml --sheet bad.png --tiles 5 --force
if cmp -s bad.png before.png; then fail "a picture was not replaced"; fi
