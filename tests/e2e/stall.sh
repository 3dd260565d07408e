#!/usr/bin/env bash
# A rank that stands still is named, whichever it is, and waited for; so is a process alone whose engine does. Same bits.
. "$(dirname "$0")/lib.sh"

draw 10 0
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n "$(sized 20000 1000)" >"$scratch/list.txt"
demo_job job 'targets: [onnx-qdq]\nevaluate: {skip: true}\nlimits: {stall_seconds: 1}'
sed -i 's|list: pictures/calibration.txt|list: list.txt|; s|^output: .*|output: out|' "$scratch/job.yaml"
"$ETALON" calibrate -q "$scratch/job.yaml" --set output=undisturbed --set limits.stall_seconds=0 >/dev/null || fail "undisturbed"

run='' pid=''
trap 'kill -KILL $pid $run 2>/dev/null || true; rm -rf "$scratch"' EXIT # a rank that was stopped would stay
said() { grep -qE "$1" "$scratch/stderr"; }
begun() { [ "$(grep -c "calibration: at most" "$scratch/stderr")" -eq 3 ]; } # every rank, the pass over the records
for rank in 0 2; do
  mpirun --oversubscribe --bind-to none -n 3 "$ETALON" calibrate -v "$scratch/job.yaml" >/dev/null 2>"$scratch/stderr" & run=$!
  wait_for 60 begun
  sleep 0.5 # ranks agree that all have begun, and blocks are dealt out
  pid=$(for k in $(ranks_of $run); do
    if grep -zqx "OMPI_COMM_WORLD_RANK=$rank" "/proc/$k/environ"; then echo "$k"; fi
  done)
  [ -n "$pid" ] || fail "rank $rank has ended too soon"
  kill -STOP "$pid"
  wait_for 60 said "warning: .*calibration: rank $rank \($(hostname), pid $pid\) has finished no block for [1-9][0-9]* s, since [0-9:]*, after [0-9]* blocks; .*nothing is heard of it"
  sleep 2 # the others come to the end of their blocks meanwhile
  kill -CONT "$pid"
  wait $run || { cat "$scratch/stderr" >&2; fail "rank $rank has stood still: the run has failed"; }
  run='' pid=''
  ! said "it waits for blocks[a-z ]*; the others wait" || { cat "$scratch/stderr" >&2; fail "a rank is named that has no block to do"; }
  said "calibration: rank $rank .* goes on after [1-9][0-9]* s" || { cat "$scratch/stderr" >&2; fail "that it goes on is not said"; }
  [ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed")" ] || fail "rank $rank has stood still: other bits"
  rm -rf "$scratch/out"
  echo "ok: rank $rank stood still, and was named"
done

if [ -x "$ETALON_FAULTS" ]; then
  FAULT=block.done:3=stall:2500 "$ETALON_FAULTS" calibrate "$scratch/job.yaml" >/dev/null 2>"$scratch/stderr" || fail "one process"
  said "warning: calibration: rank 0 .* has finished no block for [1-9][0-9]* s, .* after 2 blocks; it is at block 2; the others wait" ||
    { cat "$scratch/stderr" >&2; fail "one process does not see that its engine stands still"; }
  [ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed")" ] || fail "one process: other bits"
  echo "ok: an engine that stands still is seen by its own process"
fi
