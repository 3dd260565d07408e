#!/usr/bin/env bash
# Killed, stopped, and gone on with by another number of ranks: the bits of an undisturbed run, and nothing is measured
# twice that a checkpoint has.
. "$(dirname "$0")/lib.sh"

draw 10 0
records=$(sized 40000 4000)
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n "$records" >"$scratch/list.txt"
demo_job job 'targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}
calibration: {activations: isotone, weights: grid-output}' # which read records: all that can be counted is
sed -i 's|list: pictures/calibration.txt|list: list.txt|; s|^output: .*|output: out|' "$scratch/job.yaml"
calibrate=("$ETALON" calibrate "$scratch/job.yaml")
kept() { find "$scratch/out/checkpoint" -name '?.h5' | grep -q .; } # shards come before their index

# start COMMAND...: in the background; stop SIGNAL: to it, and $rc is how it ended.
start() { "$@" >/dev/null 2>"$scratch/stderr" & run=$!; }
stop() { kill "-$1" $run; rc=0; wait $run 2>/dev/null || rc=$?; }

start "${calibrate[@]}" -q --set output=undisturbed --set checkpoint.interval=1000
wait $run || fail "undisturbed"
expected=$(bits "$scratch/undisturbed")

# finished RANKS [OPTIONS]: to the end; same bits, and no checkpoint is left.
finished() {
  local n=$1; shift
  ranks "$n" "$ETALON" calibrate "$scratch/job.yaml" "$@" >/dev/null 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "$n ranks $*"; }
  [ "$(bits "$scratch/out")" = "$expected" ] || fail "$n ranks $*: other bits than undisturbed"
  [ ! -e "$scratch/out/checkpoint" ] || fail "the checkpoint has stayed"
}
went_on() { grep -q "going on after [1-9][0-9]* of" "$scratch/stderr"; }

# --- SIGUSR1: one more checkpoint, exit 75
start "${calibrate[@]}" -q
wait_for 30 kept
stop USR1
[ $rc -eq 75 ] || fail "SIGUSR1: expected exit 75, found $rc: $(cat "$scratch/stderr")"
grep -q "stopped on request after [0-9]* of [0-9]* blocks; run the same command again" "$scratch/stderr" || fail "the message"
[ ! -e "$scratch/out/manifest.json" ] || fail "a stopped run looks finished"
finished 2
went_on || fail "the second run has begun anew"
echo "ok: SIGUSR1, and on with 2 ranks"

rm -rf "$scratch/out"
start mpirun --oversubscribe --bind-to none -n 3 "$ETALON" calibrate -q "$scratch/job.yaml"
wait_for 60 kept
stop USR1
[ $rc -eq 75 ] || fail "SIGUSR1 to mpirun: expected exit 75, found $rc"
finished 0
went_on || fail "the plain run has begun anew"
echo "ok: SIGUSR1 to 3 ranks, and on plainly"

# --- kill -9 of one rank at random moments, each time on with another number of ranks
RANDOM=${SEED:=$$}
rm -rf "$scratch/out"
for round in $(seq "${ROUNDS:=3}"); do
  start mpirun --oversubscribe --bind-to none -n $((1 + RANDOM % 4)) "$ETALON" calibrate -q "$scratch/job.yaml"
  sleep "$((RANDOM % 3)).$((RANDOM % 10))"
  mapfile -t pids < <(ranks_of $run)
  [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null || true
  wait $run 2>/dev/null || true
done
finished 5
echo "ok: $round times kill -9 (SEED=$SEED), and on with 5 ranks"

# --- a checkpoint that does not load is set aside; the other one serves
rm -rf "$scratch/out"
start "${calibrate[@]}" -q
wait_for 30 test -s "$scratch/out/checkpoint/1.h5"
stop KILL
newest=$(find "$scratch/out/checkpoint" -name '?.h5' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
printf damage | dd of="$newest" bs=1 seek=3000 conv=notrunc 2>/dev/null
"${calibrate[@]}" >/dev/null 2>"$scratch/stderr" ||
  { cat "$scratch/stderr" >&2; fail "a damaged checkpoint must not stop a run"; }
grep -q "it is set aside as .*damaged" "$scratch/stderr" || fail "the damage was not noticed: $(cat "$scratch/stderr")"
went_on || fail "the other generation was not used"
rm "$newest.damaged"
rmdir "$scratch/out/checkpoint"
[ "$(bits "$scratch/out")" = "$expected" ] || fail "other bits after a damaged checkpoint"
echo "ok: a damaged checkpoint is set aside"

# --- the same of a shard: three ranks have written some, two read them
head -n $((records / 4)) "$scratch/list.txt" >"$scratch/short.txt"
wide=(--set dataset.list=short.txt --set calibration.granularity=per-channel) # 24 MiB of counters
"${calibrate[@]}" -q "${wide[@]}" --set output=undisturbed_wide --set checkpoint.interval=1000 >/dev/null || fail "${wide[*]}"
rm -rf "$scratch/out"
start mpirun --oversubscribe --bind-to none -n 3 "${calibrate[@]}" -q "${wide[@]}"
wait_for 120 kept
stop USR1 # writes the other generation
[ -s "$scratch/out/checkpoint/1.h5" ] || fail "one generation only: $(ls "$scratch/out/checkpoint")"
newest=$(find "$scratch/out/checkpoint" -name '?.h5' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
[ -s "${newest%.h5}.2.h5" ] || fail "no shards: $(ls "$scratch/out/checkpoint")"
half=$(($(stat -c %s "${newest%.h5}.2.h5") / 2)) # where counts are: elsewhere bytes may be unused
printf damage | dd of="${newest%.h5}.2.h5" bs=1 seek=$half conv=notrunc 2>/dev/null
ranks 2 "${calibrate[@]}" "${wide[@]}" >/dev/null 2>"$scratch/stderr" ||
  { cat "$scratch/stderr" >&2; fail "a damaged shard must not stop a run"; }
grep -q "${newest%.h5}.2.h5.*it is set aside as .*damaged" "$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "the damaged shard is not named"; }
went_on || fail "the other generation was not used"
rm -r "$scratch/out/checkpoint" # what was set aside
[ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed_wide")" ] || fail "other bits after a damaged shard"
echo "ok: a damaged shard, and on with 2 ranks"

# --- none loads: that is said once, and the next run begins anew
rm -rf "$scratch/out"
start "${calibrate[@]}" -q
wait_for 30 kept
stop KILL
for file in "$scratch"/out/checkpoint/?.h5; do head -c 3000 "$file" >"$scratch/cut" && cp "$scratch/cut" "$file"; done
expect 65 "no checkpoint loads" "${calibrate[@]}" -q
rm "$scratch"/out/checkpoint/*.damaged
finished 2
rm -rf "$scratch/out"
echo "ok: where no checkpoint loads the user decides"

# --- SIGTERM and SIGINT: no results, and at most one interval is lost
for signal in TERM INT; do
  start mpirun --oversubscribe --bind-to none -n 2 "$ETALON" calibrate -q "$scratch/job.yaml"
  wait_for 60 kept
  stop $signal
  [ $rc -ne 0 ] || fail "SIG$signal: the run has succeeded"
  [ ! -e "$scratch/out/manifest.json" ] || fail "SIG$signal: a run that was ended looks finished"
  finished 3
  went_on || fail "SIG$signal: the next run has begun anew"
  rm -rf "$scratch/out"
done
echo "ok: SIGTERM and SIGINT, and on with 3 ranks"

# --- of another job: refused, saying what differs, and nothing of it is lost; --force and --resume never begin anew
rm -rf "$scratch/out"
start "${calibrate[@]}" -q
wait_for 30 kept
stop USR1
head -n $((records - 8)) "$scratch/list.txt" >"$scratch/shorter.txt"
differs() { expect 65 "blocks of another job, which differs in $1: let that job" ranks "$2" "${calibrate[@]}" -q --set "$3"; }
differs "calibration.bins (8192, now 4096)" 0 calibration.bins=4096
differs "calibration.block (8, now 16)" 2 calibration.block=16
differs "preprocessing, or what is counted" 0 "preprocess=[{channels: rgb}, {divide: 255}]"
differs "the number of records ($records, now $((records - 8)))" 0 dataset.list=shorter.txt
cp -r "$scratch/out" "$scratch/kept"
finished 2
went_on || fail "a job that was refused has harmed the checkpoint"
for anew in "--force --set calibration.bins=4096" "--resume never"; do
  rm -rf "$scratch/out"
  cp -r "$scratch/kept" "$scratch/out"
  "${calibrate[@]}" $anew >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$anew"; }
  ! went_on || fail "$anew has gone on"
  [ "$anew" = "--resume never" ] || grep -q "differs in calibration.bins" "$scratch/stderr" || fail "$anew is not told"
done
[ "$(bits "$scratch/out")" = "$expected" ] || fail "--resume never: other bits"
expect 64 "auto or never" "${calibrate[@]}" --resume always
echo "ok: of another job a checkpoint is refused; --force and --resume never begin anew"

# --- results are there, and a forced run is killed: they stay, and its checkpoint goes with the next run
start "${calibrate[@]}" -q --force
wait_for 30 kept
stop KILL
finished 0
echo "ok: results outlive a forced run that was killed"
