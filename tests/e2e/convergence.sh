#!/usr/bin/env bash
# How many records are enough: a pass that ends when thresholds are stable ends with the same block for any number of
# ranks and threads, and after a kill; the archive alone tells the same of convergence; too few records are told of.
. "$(dirname "$0")/lib.sh"

# Of the first fourth of the records, every doubling brings another picture; then the fourth is repeated. So thresholds
# move with every epoch but the one that ends with half of the records, whose own halves are equal.
draw 10 0
records=$(sized 16384 2048)
mapfile -t pictures < <(head -n 10 "$scratch/pictures/calibration.txt")
for ((i = 0, k = 0; i < records / 4; i++)); do
  ((i < 32 << k)) || ((k += 1))
  echo "${pictures[k % ${#pictures[@]}]}"
done >"$scratch/fourth"
cat "$scratch"/fourth "$scratch"/fourth "$scratch"/fourth "$scratch"/fourth >"$scratch/pictures/long.txt"

demo_job job 'targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1000}'
sed -i 's|pictures/calibration.txt|pictures/long.txt|' "$scratch/job.yaml"
calibrate=("$ETALON" calibrate "$scratch/job.yaml" --stop-when-stable 0.001)

"${calibrate[@]}" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "calibrate"; }
grep -q "demo: $((records / 2)) calibration records used, 0 skipped" "$scratch/stdout" ||
  { cat "$scratch/stdout" "$scratch/stderr" >&2; fail "it should have stopped after half of the records"; }
grep -q "thresholds moved by at most 0 % from half of the records to all.*: $((records / 2)) are enough for 0.1 %" \
  "$scratch/stdout" || fail "the summary"
grep -q "\"used\": $((records / 2))," "$scratch/job/report.json" || fail "report.json"
"$ETALON" inspect "$scratch/job/archive.h5" >"$scratch/inspected" # whole: grep would not listen to its end
grep -qxF "$(grep '^thresholds moved' "$scratch/stdout")" "$scratch/inspected" ||
  fail "inspect does not tell of the archive what the run told"
expected=$(bits "$scratch/job")
echo "ok: the pass ends with the first epoch that moves nothing"

# same WHAT: $scratch/again has these bits.
same() {
  [ "$(bits "$scratch/again")" = "$expected" ] || { diff -rq "$scratch/again" "$scratch/job" >&2; fail "other bits: $1"; }
  rm -rf "$scratch/again"
  echo "ok: the same bits, $1"
}
for n in 1 2 3 5; do
  ranks $n "${calibrate[@]}" -q --set output=again >/dev/null || fail "$n ranks"
  same "$n ranks"
done
"${calibrate[@]}" -q --set output=again --set engine.threads=3 >/dev/null || fail "3 threads"
same "3 threads"

# --- killed in the middle, whatever the epoch, and on with other ranks
kept() { find "$scratch/again/checkpoint" -name '*.h5' | grep -q .; }
for n in 0 3; do
  "${calibrate[@]}" -q --set output=again --set checkpoint.interval=1 >/dev/null 2>&1 & run=$!
  wait_for 60 eval 'kept || ! kill -0 $run'
  kill -KILL $run 2>/dev/null || true
  wait $run 2>/dev/null || true
  ranks $n "${calibrate[@]}" --set output=again >/dev/null 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "going on with $n ranks"; }
  grep -q "going on after [1-9][0-9]* of" "$scratch/stderr" || echo "(the run was over before it was killed)"
  same "killed, and on with $n ranks"
done

# --- decisions again, from the archive alone: the same thresholds against the number of records
convergence() { sed -n '/^  "convergence"/,/^  }/p' "$1/report.json"; }
[ "$(convergence "$scratch/job" | wc -l)" -gt 20 ] || fail "report.json says little of convergence"
"$ETALON" emit "$scratch/job/archive.h5" --model "$demo/demo.onnx" --output "$scratch/emitted" >/dev/null || fail "emit"
diff <(convergence "$scratch/job") <(convergence "$scratch/emitted") >&2 || fail "emit tells other convergence"
echo "ok: emit tells of the same convergence"

# --- few records: a warning for the target whose makers ask for more, and only there
advice="49 calibration records were used; its makers advise 50 or more"
"$ETALON" calibrate "$scratch/job.yaml" --set dataset.limit=49 --set output=few >/dev/null 2>"$scratch/stderr" || fail "49"
[ "$(grep -c advise "$scratch/stderr")" -eq 1 ] && grep -qF "target tnn: $advice" "$scratch/stderr" ||
  { cat "$scratch/stderr" >&2; fail "the warning"; }
[ "$(grep -cF "$advice" "$scratch/few/report.json")" -eq 1 ] || fail "the warning in report.json"
"$ETALON" calibrate "$scratch/job.yaml" --set dataset.limit=50 --set output=enough >/dev/null 2>"$scratch/stderr" || fail "50"
! grep -q advise "$scratch/stderr" || fail "50 are not fewer than 50"
echo "ok: a warning of few records"

# --- whole values counted beside their channels have parts, the same ones; but not where they have the bins of channels,
# and are only the sums of these: everything else is as with both counted
few=("$ETALON" calibrate -q "$scratch/job.yaml" --set dataset.limit=99)
"${few[@]}" --set output=values >/dev/null || fail "per value"
"${few[@]}" --set calibration.granularity=per-channel --set output=channels >/dev/null || fail "per channel"
[ "$(convergence "$scratch/channels" | wc -l)" -gt 20 ] || fail "per channel: little is known of convergence"
diff <(convergence "$scratch/values") <(convergence "$scratch/channels") >&2 ||
  fail "counting channels, too, changes convergence"
"${calibrate[@]}" -q --set calibration.granularity=per-channel --set output=both >/dev/null || fail "both"
diff <(convergence "$scratch/job") <(convergence "$scratch/both") >&2 || fail "per channel, another end or convergence"
"${few[@]}" --set calibration.granularity=per-channel --set calibration.bins=2048 --set output=sums >/dev/null ||
  fail "equal bins"
grep -q '"convergence": null' "$scratch/sums/report.json" || fail "equal bins: nothing is known of convergence"
echo "ok: per channel"

expect 78 'the thresholds of "given" are the model'"'s" "${calibrate[@]}" --set calibration.activations=given
expect 78 "expected calibration.bins other than channel_bins, found 2048" "${calibrate[@]}" \
  --set calibration.granularity=per-channel --set calibration.bins=2048
expect 78 "a fraction, 0 or more, below 1" "$ETALON" calibrate "$scratch/job.yaml" --stop-when-stable 5
echo "ok: refusals"
