#!/usr/bin/env bash
# `etalon dataset build` against a script that writes the same databases with Pillow, OpenCV and py-lmdb, for any number
# of ranks; and against the reader.
. "$(dirname "$0")/lib.sh"
for package in cv2 lmdb plyvel PIL; do need_python $package; done

# Pictures of many sizes and kinds, some with spaces in their names.
"$PYTHON" - "$scratch" <<'PYTHON'
import sys
import numpy as np
from PIL import Image

random, lines = np.random.default_rng(1), []
for i in range(100):
    height, width = random.integers(20, 90, 2)
    rough = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(rough).resize((int(width), int(height)), Image.BICUBIC)
    kind = ["jpg", "png", "bmp", "ppm", "jpeg"][i % 5]
    picture = picture.convert("L") if i % 7 == 3 else picture.convert("P") if kind == "png" and i % 2 else picture
    picture.save(f"{sys.argv[1]}/picture {i}.{kind}")
    lines.append(f"picture {i}.{kind} {i * 37 % 1000}\n")
open(sys.argv[1] + "/list.txt", "w").writelines(lines)
PYTHON
cd "$scratch"

# equal NAME "PYTHON'S OPTIONS" "OURS"...: both databases, ours on 1, 2, 3 and 5 ranks.
equal() {
  local name=$1 theirs=$2 ours=(); shift 2; ours=("$@")
  "$PYTHON" "$here/write_database.py" "$scratch/" list.txt "$name" $theirs || fail "$name: the independent writer"
  for n in 1 2 3 5; do
    ranks $n "$ETALON" dataset build -q "$scratch/" list.txt "$name-$n" "${ours[@]}" || fail "$name: build on $n ranks"
    "$PYTHON" "$here/same_database.py" "$name" "$name-$n" || fail "$name on $n ranks: another database"
    [[ " ${ours[*]} " == *leveldb* ]] || cmp "$name-1/data.mdb" "$name-$n/data.mdb" || fail "$name on $n ranks: another file"
  done
  echo "ok: $name"
}
equal raw ""
equal gray "gray=1 height=24 width=32" --gray --resize_height 24 --resize_width=32
equal resized "height=40 width=31" -resize_height=40 -resize_width=31 -check_size -nogray
equal encoded "encoded=1" -encoded
equal level "backend=leveldb height=32 width=32" -backend leveldb -resize_height 32 -resize_width 32

# Raw numbers, of which the command line says what they are.
"$PYTHON" - <<'PYTHON'
import numpy as np
random = np.random.default_rng(2)
random.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8).tofile("raw.bin")
PYTHON
numbers=(--kind bin --shape 5x6x3 --dtype uint8 --layout hwc --channels rgb)
"$ETALON" dataset build -q raw.bin - numbers "${numbers[@]}" || fail "build of raw numbers"
"$ETALON" dataset verify raw.bin "${numbers[@]}" | grep "sizes: 3 x 5 x 6, 40 of bytes" || fail "verify of raw numbers"
"$ETALON" dataset index raw.bin "${numbers[@]}" | grep "40 records" || fail "index of raw numbers"
"$PYTHON" - <<'PYTHON' || fail "what was built from raw numbers"
import lmdb, numpy as np
with lmdb.open("numbers", readonly=True, lock=False) as env, env.begin() as txn:
    values = list(dict(txn.cursor()).values())
pixels = np.fromfile("raw.bin", np.uint8).reshape(40, 5, 6, 3)
assert len(values) == 40
for value, picture in zip(values, pixels):
    assert picture.transpose(2, 0, 1)[::-1].tobytes() in value # planes, blue first
print("ok: raw numbers")
PYTHON
expect 64 'raw.bin: a dataset of kind "bin" needs --shape' "$ETALON" dataset verify raw.bin --kind bin
expect 64 '--shape: expected dims such as 3x224x224, found "5x"' "$ETALON" dataset verify raw.bin --kind bin --shape 5x
expect 64 '--layout: "cwh" does not exist; the nearest is "chw"' "$ETALON" dataset verify raw.bin --layout cwh
expect 64 '--dtype: ' "$ETALON" dataset verify raw.bin --kind bin --shape 5x6x3 --dtype byte
expect 65 "found 3600: is their dtype uint8 (key or option)?" "$ETALON" dataset verify raw.bin --kind bin --shape 30x40

# Encoded anew: pixels in a PNG are those that were resized.
"$ETALON" dataset build -q . list.txt png --encode_type png --resize_height 40 --resize_width 31 || fail "encode_type png"
"$ETALON" dataset build -q . list.txt jpg --encode_type=jpg --resize_height 40 --resize_width 31 || fail "encode_type jpg"
"$PYTHON" - <<'PYTHON' || fail "what was encoded anew"
import cv2, lmdb, numpy as np

def rows(path):
    with lmdb.open(path, readonly=True, lock=False) as env, env.begin() as txn:
        return dict(txn.cursor())

raw, png, jpg = rows("resized"), rows("png"), rows("jpg")
assert raw.keys() == png.keys() == jpg.keys()
def file_of(value):  # field 4, of two or three bytes' length
    return value[3:] if value[2] < 0x80 else value[4:]
equal = 0
for key, value in raw.items():
    planes = np.frombuffer(value[value.index(b'"') + 3:][:3 * 40 * 31], np.uint8).reshape(3, 40, 31).transpose(1, 2, 0)
    assert (cv2.imdecode(np.frombuffer(file_of(png[key]), np.uint8), cv2.IMREAD_COLOR) == planes).all(), key
    theirs = cv2.imencode(".jpg", np.ascontiguousarray(planes))[1].tobytes()
    equal += file_of(jpg[key])[: len(theirs)] == theirs
print("ok: encoded anew; JPEG files equal to OpenCV's:", equal, "of", len(raw))
PYTHON

# A shuffle depends on the seed alone, and loses nothing.
for seed in 1 2; do
  for n in 1 3; do
    ranks $n "$ETALON" dataset build -q . list.txt shuffled-$seed-$n --encoded -shuffle --seed $seed || fail "shuffle"
  done
  cmp shuffled-$seed-1/data.mdb shuffled-$seed-3/data.mdb || fail "the shuffle depends on the ranks"
done
! cmp -s shuffled-1-1/data.mdb shuffled-2-1/data.mdb || fail "the seed does nothing"

# What goes wrong goes wrong on every number of ranks, in one sentence, and leaves nothing behind.
sed '41s/^/gone /' list.txt >bad.txt
for n in 1 2 5; do
  expect 65 "gone picture 40.jpg: " ranks $n "$ETALON" dataset build . bad.txt bad
  ranks $n "$ETALON" dataset build -q . bad.txt "left-$n" --max_bad_records 1 || fail "one bad record allowed"
  cmp left-1/data.mdb "left-$n/data.mdb" || fail "bad records on $n ranks: another file"
  expect 65 "expected" ranks $n "$ETALON" dataset build . list.txt bad --check_size
  expect 73 "exists already" ranks $n "$ETALON" dataset build . list.txt left-1
  expect 64 "the nearest is \"leveldb\"" ranks $n "$ETALON" dataset build . list.txt bad -backend levldb
  expect 69 "choose an encode_type" ranks $n "$ETALON" dataset build . list.txt bad --encoded --resize_height 8 --resize_width 8
done
[ -z "$(find . -name 'bad' -o -name '.*.tmp')" ] || fail "something was left behind"
echo "ok: failures"
