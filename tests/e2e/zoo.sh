#!/usr/bin/env bash
# A zoo of thirty small jobs: what is unchanged costs nothing, what is changed is done again, what fails stops nobody, what
# gets worse is said; for any number of ranks, in parts, and after being killed.
. "$(dirname "$0")/lib.sh"
cd "$scratch"

draw 24 24
mkdir -p nets/broken
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13; do
  mkdir -p "nets/net$i"
  cp "$demo/demo.onnx" "nets/net$i/demo.onnx"
  printf '%s\n' 'model: {file: demo.onnx}' "calibration: {percentile: 0.99$i}" >"nets/net$i/job.yaml"
done
printf '%s\n' 'model: {file: nowhere.onnx}' >nets/broken/job.yaml
printf '%s\n' 'model: {file: nets/net01/demo.onnx}' >single.yaml
cat >zoo.yaml <<ZOO
jobs:
  - nets/*/job.yaml
  - {file: single.yaml, name: alone, gates: {agreement: 0}}
defaults:
  dataset: {kind: images, path: $scratch/pictures, list: $scratch/pictures/calibration.txt, limit: 16}
  evaluate: {dataset: {kind: images, path: $scratch/pictures, list: $scratch/pictures/evaluation.txt, limit: 16}}
  preprocess: [{channels: rgb}, {mean: 127.5}, {divide: 64}]
  calibration: {bias_correction: analytic}
  targets: [onnx-qdq]
matrix:
  calibration.activations: [mse, percentile]
gates: {sqnr_fall: 3, threshold_movement: 0.5}
output: night
ZOO

# zoo RANKS CODE [ARGUMENTS]: exit code CODE; what is said goes to $scratch/stdout.
zoo() { local n=$1 code=$2; shift 2; expect "$code" "" ranks "$n" "$ETALON" zoo zoo.yaml "$@"; }
sum() { tail -n 2 "$scratch/stdout" | head -n 1; }
says() { [ "$(sum)" = "$1" ] || { cat "$scratch/stdout" "$scratch/stderr" >&2; fail "expected \"$1\", found \"$(sum)\""; }; }
count() { "${PYTHON:-python3}" -c 'import json, sys; print(sum(j["status"] == sys.argv[2] for j in json.load(open(sys.argv[1]))["jobs"].values()))' night/zoo.json "$1"; }

# The first night: all but the broken one, whose failure decides the exit code and is told for each of its places.
zoo 2 66
says "28 calibrated, 0 unchanged, 2 failed; 0 gates failed"
grep -q "^nets/broken@mse  *FAILED: .*nowhere.onnx" "$scratch/stdout" || fail "the failure is not told"
[ "$(count calibrated)" = 28 ] && [ "$(count failed)" = 2 ] || fail "zoo.json"
[ -e night/nets/net01@mse/report.html ] || fail "no report of a job"
echo "ok: 28 jobs, and 2 that fail alone"

# A job of the zoo is the job that calibrate would run.
"$ETALON" calibrate -q single.yaml --set "output=$scratch/plain" --set calibration.activations=mse \
  --set calibration.bias_correction=analytic --set 'targets=[onnx-qdq]' --set 'preprocess=[{channels: rgb}, {mean: 127.5}, {divide: 64}]' \
  --set "dataset={kind: images, path: $scratch/pictures, list: $scratch/pictures/calibration.txt, limit: 16}" \
  --set "evaluate.dataset={kind: images, path: $scratch/pictures, list: $scratch/pictures/evaluation.txt, limit: 16}" >/dev/null || fail "calibrate"
[ "$(bits plain)" = "$(bits night/alone@mse)" ] || fail "other bits than calibrate's"
rm -r nets/broken

# The second night: nothing to do, in less than a second on a quiet machine; never more than a tenth of the first.
before=$(bits night/alone@mse)
start=$(date +%s%N)
zoo 0 0
took=$((($(date +%s%N) - start) / 1000000))
says "0 calibrated, 28 unchanged, 0 failed; 0 gates failed"
[ "$before" = "$(bits night/alone@mse)" ] || fail "a job that is unchanged was changed"
echo "ok: 28 unchanged jobs in $took ms"
[ "$took" -lt "$(sized 5000 60000)" ] || fail "28 unchanged jobs took $took ms"
"$ETALON" zoo accept zoo.yaml | grep -qx "28 of 28 jobs accepted as they are" || fail "accept"
for words in "zoo zoo.yaml" "zoo accept zoo.yaml"; do
  expect 64 "--only net[0-9]*: none of 28 jobs is called like this" "$ETALON" $words --only 'net[0-9]*'
done

# Results that were lost are made again; a report that cannot be read fails its job, instead of passing its gates.
cp -r night/nets/net02@mse net02
rm night/nets/net02@mse/onnx-qdq/demo.onnx
expect 0 "nets/net02@mse/onnx-qdq/demo.onnx is gone, so this job is not finished" "$ETALON" zoo zoo.yaml
says "1 calibrated, 27 unchanged, 0 failed; 0 gates failed"
[ "$(bits net02)" = "$(bits night/nets/net02@mse)" ] || fail "other bits the second time"
head -c 500 net02/report.json >night/nets/net02@mse/report.json
expect 65 "1 job of the zoo failed" "$ETALON" zoo zoo.yaml
grep -q "^nets/net02@mse  *FAILED: .*report.json: line" "$scratch/stdout" || fail "the damaged report is not told"
expect 65 "report.json: line" "$ETALON" zoo accept zoo.yaml
echo '[]' >night/nets/net02@mse/report.json
expect 65 "" "$ETALON" zoo zoo.yaml
cp net02/report.json night/nets/net02@mse/
zoo 0 0
says "1 calibrated, 27 unchanged, 0 failed; 0 gates failed" # it was not there the night before
zoo 0 0
says "0 calibrated, 28 unchanged, 0 failed; 0 gates failed"

# What a job is told by is of its own run: one of its targets fails, and then all of it, with the same code.
mkdir -p faults/nowhere
cp "$demo/demo.onnx" faults/
sed '/^matrix/,/^  calib/d; /^  - nets/d; s|^output:.*|output: faulty|
  s|^  - {file.*|  - {file: faults/part.yaml, name: part, gates: {agreement: 101}}\n  - {file: faults/none.yaml, name: none}|' zoo.yaml >faults.yaml
printf '%s\n' 'model: {file: demo.onnx}' 'targets: [onnx-qdq, horizon-j6]' 'target_options: {horizon-j6: {remove_node_name: nobody}}' >faults/part.yaml
printf '%s\n' 'model: {file: nowhere.onnx}' >faults/none.yaml
# told STATUS TARGETS JOB: what zoo.json says of a job.
told() { "${PYTHON:-python3}" - "$@" <<'TOLD' || { cat faulty/zoo.json >&2; fail "zoo.json tells otherwise than $*"; }
import json, sys
job = json.load(open("faulty/zoo.json"))["jobs"][sys.argv[3]]
assert job["status"] == sys.argv[1] and ",".join(job.get("targets", [])) == sys.argv[2], job
TOLD
}
faults() { local code=$1; shift; expect "$code" "" "$ETALON" zoo faults.yaml "$@"; }
for night in 1 2; do # calibrated, and found there
  faults 69
  says "0 calibrated, 0 unchanged, 2 failed; 1 gate failed"
  told failed onnx-qdq,horizon-j6 part
  grep -q '^part  *FAILED: .*horizon-j6' "$scratch/stdout" || fail "the failure is not told"
  grep -q '^part  *onnx-qdq .*GATE: agreement' "$scratch/stdout" || fail "the target that was written is not judged"
done
faults 69 --only none # and the other stays what it was
says "0 calibrated, 0 unchanged, 2 failed; 1 gate failed"
LC_ALL=C sed -i 's/Relu/Relv/g' faults/demo.onnx
faults 69
says "0 calibrated, 0 unchanged, 2 failed; 0 gates failed"
told failed "" part
grep -q '^part  *FAILED: .*Relv' "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "yesterday's failure is told"; }
grep -q '<error message="[^"]*Relv' faulty/junit.xml && grep -q Relv faulty/index.html || fail "the files of a night"
cp "$demo/demo.onnx" faults/
sed -i '2,3d' faults/part.yaml
faults 66 --only part # what was not looked at stays failed, and decides
says "1 calibrated, 0 unchanged, 1 failed; 1 gate failed"
told failed "" none
sed -i 's/nowhere/demo/' faults/none.yaml
faults 1
accepts() { expect "$1" "$2" "$ETALON" zoo accept faults.yaml; grep -qx "$3 of 2 jobs accepted as they are" "$scratch/stdout" || fail "accept"; }
accepts 0 "" 2
LC_ALL=C sed -i 's/Relu/Relv/g' faults/demo.onnx # its folder still holds what was good; nobody accepts that for it
faults 69 --only part
cp faulty/accepted.json before.json
accepts 69 "part has failed and is not accepted: " 1
cmp before.json faulty/accepted.json || fail "a job that failed was accepted"
cp "$demo/demo.onnx" faults/
faults 1

# What a call could not finish telling is told again by the next, and once.
nights() { grep -c '^      "date"' faulty/history.json; }
before=$(nights)
cp faulty/zoo.json before.json
rm faulty/junit.xml
mkdir faulty/junit.xml
changed=(--set calibration.activations=percentile)
faults 74 "${changed[@]}"
rmdir faulty/junit.xml
faults 1 "${changed[@]}"
says "2 calibrated, 0 unchanged, 0 failed; 1 gate failed"
cp before.json faulty/zoo.json # as if the last file had not been written
faults 1 "${changed[@]}"
says "2 calibrated, 0 unchanged, 0 failed; 1 gate failed"
[ "$(nights)" -eq $((before + 1)) ] || fail "$before nights became $(nights)"
rm faulty/zoo.json
faults 1 "${changed[@]}" --only part
told "not run" "" none

# One model changes, for the better or the same: one job, in both its places.
"${PYTHON:-false}" -c 'import onnx' 2>/dev/null || skip "the Python package onnx is absent: nights with changed models"
# change FACTOR FILE: multiplies the weights of its middle convolution, channel by channel unevenly where FACTOR is "worse".
change() { "$PYTHON" - "$1" "$2" <<'CHANGE'
import sys, numpy, onnx
from onnx import numpy_helper
model = onnx.load(sys.argv[2])
for w in model.graph.initializer:
    a = numpy_helper.to_array(w)
    if a.ndim == 4:
        a = a.copy()
        a[0] *= 300 if sys.argv[1] == "worse" else 1.0001
        w.CopyFrom(numpy_helper.from_array(a, w.name))
        break
onnx.save(model, sys.argv[2])
CHANGE
}
change same nets/net03/demo.onnx
zoo 2 0
says "2 calibrated, 26 unchanged, 0 failed; 0 gates failed"
grep -q "^nets/net03@mse " "$scratch/stdout" || fail "the changed job is not told"

# A model gets worse: exit code 1, and a line naming it.
change worse nets/net05/demo.onnx
zoo 3 1
grep -q "^nets/net05@mse .*GATE: " "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "the worse job is not named"; }
grep -q '<failure message="' night/junit.xml || fail "junit.xml"
"$PYTHON" - <<'PARSE' || fail "the files of a night"
import json, html.parser, xml.etree.ElementTree as tree
cases = tree.parse("night/junit.xml").getroot().findall("testcase")
assert len(cases) == 28 and any(c.find("failure") is not None for c in cases), len(cases)
nights = json.load(open("night/history.json"))["nights"]
assert [len(n["jobs"]) for n in nights] == [30, 1, 1, 1, 1, 2, 2], [len(n["jobs"]) for n in nights]
links = []
parser = html.parser.HTMLParser()
parser.handle_starttag = lambda tag, pairs: links.append(dict(pairs)["href"]) if tag == "a" else None
parser.feed(open("night/index.html").read())
assert len(links) == 28, len(links)
for link in links:
    open("night/" + link).close()
PARSE
zoo 0 1 # and again, until somebody accepts it
"$ETALON" zoo accept zoo.yaml --only 'nets/net05@*' | grep -qx "2 of 28 jobs accepted as they are" || fail "accept --only"
zoo 0 0

# Parts of an array together do what one call does; the summary comes from the call behind them.
for i in 06 07 08 09; do change same nets/net$i/demo.onnx; done
for k in 0 1 2; do zoo 0 0 --part $k/3; done
zoo 0 0
says "8 calibrated, 20 unchanged, 0 failed; 0 gates failed"
expect 64 'or "accept" and a file; found "acept"' "$ETALON" zoo acept zoo.yaml
for part in 3/3 -1/3 0/-1 0/1000000000 " 0/2" 0/2x; do
  expect 64 "--part: expected K/N" "$ETALON" zoo zoo.yaml --part "$part"
done

# Two calls at once: the second is refused before it does anything, except that parts of an array get along.
expect 73 "another etalon zoo is at work in this folder" flock night/.zoo.lock "$ETALON" zoo zoo.yaml
expect 73 "another etalon zoo is at work in this folder" flock night/.zoo.lock "$ETALON" zoo zoo.yaml --part 0/2
expect 73 "another etalon zoo is at work in this folder" flock -s night/.zoo.lock "$ETALON" zoo zoo.yaml
expect 73 "another etalon zoo is at work in this folder" flock -s night/.zoo.lock "$ETALON" zoo accept zoo.yaml
expect 0 "" flock -s night/.zoo.lock "$ETALON" zoo zoo.yaml --part 0/2

# Killed in the middle: what was finished is not done again, and the end is the same.
for i in 10 11 12 13; do change same nets/net$i/demo.onnx; done
ranks 2 "$ETALON" zoo zoo.yaml >/dev/null 2>&1 &
victim=$!
# new: jobs of this night that are finished
new() { find night -name manifest.json -newer nets/net13/demo.onnx | wc -l; }
some() { [ "$(new)" -ge 2 ]; }
wait_for 120 some
launcher=$(pgrep -P $victim)
all=$(ranks_of "$launcher"; echo "$launcher")
kill -9 $all $victim 2>/dev/null || true
wait $victim 2>/dev/null || true
for pid in $all; do while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; done # they hold the zoo's lock to their end
finished=$(find night -name manifest.json -newer nets/net13/demo.onnx | sort)
stamps=$(stat -c %Y.%i $finished)
[ "$(new)" -lt 8 ] || echo "note: all jobs were finished before the kill"
zoo 2 0
says "8 calibrated, 20 unchanged, 0 failed; 0 gates failed"
[ "$stamps" = "$(stat -c %Y.%i $finished)" ] || fail "a finished job was done again"
echo "ok: killed after $(echo "$finished" | wc -l) of 8 jobs; the rest was done"

# What is wrong in the file has its line.
sed 's/^gates:.*/gates: {agrement: 90}/' zoo.yaml >bad.yaml
expect 78 'bad.yaml: line 12, column 9: key "agrement" does not exist; the nearest is "agreement"' "$ETALON" zoo bad.yaml
sed 's|nets/\*/job.yaml|nets/*/job.yml|' zoo.yaml >bad.yaml
expect 66 "no file is called" "$ETALON" zoo bad.yaml
# A word of the matrix that is wrong for every job is the zoo's fault, at its place; what is wrong for some fails these.
sed 's/^  calibration.activations:.*/  calibration.activatons: [mse, percentile]/' zoo.yaml >bad.yaml
expect 78 'bad.yaml: line 11, column 3: matrix: no job can be read with calibration.activatons="mse": ' "$ETALON" zoo bad.yaml
grep -q 'key "activatons" does not exist; the nearest is "activations"' "$scratch/stderr" || fail "the nearest key is not told"
sed 's/^  calibration.activations:.*/  calibration.activations: [mse, mzse]/' zoo.yaml >bad.yaml
expect 78 'bad.yaml: line 11, column 34: matrix: no job can be read with calibration.activations="mzse": ' "$ETALON" zoo bad.yaml
mkdir some
for i in 1 2; do cp single.yaml some/$i.yaml; done
sed -i 's|nets/net01|../nets/net01|' some/?.yaml
echo 'targets: [tnn]' >>some/1.yaml
sed '/^  - nets/d; s|^  - {file.*|  - some/?.yaml|; s|^output:.*|output: some/night|; s|^  calibration.activations: .*|  target_options.tnn: [{mode: tool-exact}]|' \
  zoo.yaml >some.yaml
expect 78 "1 job of the zoo failed" "$ETALON" zoo some.yaml
says "1 calibrated, 0 unchanged, 1 failed; 0 gates failed"
# Values that stand together only are good; beside a wrong one they are not its victims.
pair() { sed "/^  - nets/d; s|^output:.*|output: pair|; s|^  targets:.*|  targets: [horizon-j6]|
  s|^  calibration.activations: .*|  target_options.horizon-j6.compile_mode: [balance]\n  target_options.horizon-j6.balance_factor: [$1]|" zoo.yaml >pair.yaml; }
pair "10, 50"
expect 0 "" "$ETALON" zoo pair.yaml
says "2 calibrated, 0 unchanged, 0 failed; 0 gates failed"
pair "10, 500"
expect 78 'pair.yaml: line 11, column 50: matrix: no job can be read with target_options.horizon-j6.balance_factor="500": ' "$ETALON" zoo pair.yaml
printf 'jobs: []\noutput: night\n' >bad.yaml
expect 78 "expected one job at least" "$ETALON" zoo bad.yaml
printf 'jobs: [single.yaml, ./single.yaml]\noutput: night\n' >bad.yaml
expect 78 'two jobs are called "single"' "$ETALON" zoo bad.yaml
printf 'jobs: [single.yaml, {file: single.yaml, name: single/inner}]\noutput: night\n' >bad.yaml
expect 78 'the folder of one job, "single", would hold that of another' "$ETALON" zoo bad.yaml
for name in '""' a/ a//b zoo.json; do
  printf 'jobs: [{file: single.yaml, name: %s}]\noutput: night\n' "$name" >bad.yaml
  expect 78 "" "$ETALON" zoo bad.yaml
done

# A damaged account is an error, not a fresh start: no gate passes for want of what it compares with.
cp night/accepted.json whole.json
head -c 500 whole.json >night/accepted.json
expect 65 "night/accepted.json: line" "$ETALON" zoo zoo.yaml
expect 65 "night/accepted.json: line" "$ETALON" zoo accept zoo.yaml --only 'nets/net05@*'
[ "$(stat -c %s night/accepted.json)" -eq 500 ] || fail "a damaged file was replaced"
cp whole.json night/accepted.json
cp night/history.json whole.json
head -c 500 whole.json >night/history.json
change same nets/net01/demo.onnx
expect 65 "night/history.json: line" "$ETALON" zoo zoo.yaml
for damage in '{}' '{"nights": 5}'; do
  echo "$damage" >night/history.json
  expect 65 "night/history.json: expected a list of nights" "$ETALON" zoo zoo.yaml
done
echo '[]' >night/history.json
expect 65 "night/history.json: expected a JSON object" "$ETALON" zoo zoo.yaml
truncate -s 257M night/history.json
expect 65 "night/history.json" "$ETALON" zoo zoo.yaml
cp whole.json night/history.json
zoo 0 0

# Of nights without end the last thousand are kept.
"$PYTHON" -c 'import json; json.dump({"nights": [{"date": str(i), "jobs": {}} for i in range(1200)]}, open("night/history.json", "w"))'
change same nets/net01/demo.onnx
zoo 0 0
"$PYTHON" - <<'LAST' || fail "other nights than the last thousand"
import json
nights = json.load(open("night/history.json"))["nights"]
assert len(nights) == 1000 and nights[0]["date"] == "201" and len(nights[-1]["jobs"]) == 4, (len(nights), nights[0])
LAST
cp whole.json night/history.json

# A job that is taken out is nobody's to compare with, once all the others are accepted.
sed '/name: alone/d' zoo.yaml >fewer.yaml
accepted() { "$PYTHON" -c 'import json; print(" ".join(n for n in json.load(open("night/accepted.json")) if "alone" in n))'; }
expect 0 "" "$ETALON" zoo accept fewer.yaml --only 'nets/*'
[ "$(accepted)" = "alone@mse alone@percentile" ] || fail "accept --only has dropped what it was not asked about"
expect 0 "alone@mse is no job of this zoo any more" "$ETALON" zoo accept fewer.yaml
[ "$(accepted)" = "" ] || fail "a job that is none of the zoo's is still accepted"
"$ETALON" zoo accept zoo.yaml >/dev/null || fail "accept"

# Jobs that several ranks share: as many at once as there are groups, and the same bits.
sed 's|^jobs:|jobs: [nets/net0?/job.yaml]\nold:|; /^  - /d; /^matrix/,/^  calib/d; s|^output:.*|output: shared\nranks_per_job: 2|' zoo.yaml |
  sed '/^old:/d' >shared.yaml
expect 0 "" ranks 4 "$ETALON" zoo shared.yaml
says "9 calibrated, 0 unchanged, 0 failed; 0 gates failed"
for i in 1 2 3 4 5 6 7 8 9; do
  grep -q '"ranks": 2,' shared/nets/net0$i/run.json || fail "net0$i was not calibrated by two ranks"
done
mv shared/nets/net02 shared_net02
expect 0 "" "$ETALON" zoo shared.yaml
[ "$(bits shared_net02)" = "$(bits shared/nets/net02)" ] || fail "two ranks make other bits"

# One instruction set for all jobs, whoever comes first; a job that wants another fails alone.
mkdir isa
for i in 1 2 3; do
  printf '%s\n' 'model: {file: ../nets/net01/demo.onnx}' 'engine: {isa: avx2}' >isa/$i.yaml
done
sed 's|^jobs:|jobs: [isa/*.yaml]\nold:|; /^  - /d; s|^output:.*|output: limited|; /^matrix/,/^  calib/d' zoo.yaml | sed '/^old:/d' >isa.yaml
expect 0 "" "$ETALON" zoo isa.yaml
"$ETALON" inspect limited/isa/3/archive.h5 >"$scratch/stdout"
grep -q "on avx2$" "$scratch/stdout" || fail "the third job was measured otherwise"
sed -i 's/avx2/native/' isa/2.yaml
expect 78 'engine.isa: the zoo' "$ETALON" zoo isa.yaml
