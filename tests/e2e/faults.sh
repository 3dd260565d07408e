#!/usr/bin/env bash
# The program with faults on request (common/fault.h): killed in the middle of its work or anywhere while it writes, disks
# that fail at any step of any file, no memory at any allocation. Afterwards the same command ends in the bits of an
# undisturbed run, and no half-written file has ever had a name.
. "$(dirname "$0")/lib.sh"
[ -x "$ETALON_FAULTS" ] || skip "the program with faults was not built"

draw 40 0
demo_job job 'targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}\nengine: {threads: 1}'
sed -i 's|^output: .*|output: out|' "$scratch/job.yaml"
calibrate=("$ETALON" calibrate -q "$scratch/job.yaml")
"${calibrate[@]}" --set output=undisturbed >/dev/null || fail "undisturbed"
expected=$(bits "$scratch/undisturbed")
slowly=block.done:2=stall:1100 # long enough for a checkpoint to be due

# broken FAULT [RANKS RANK]: the program under this fault, in one of its ranks; the exit code is in $rc.
broken() {
  local faulty=(env "FAULT=$1" "$ETALON_FAULTS" "${calibrate[@]:1}")
  local sound=("${calibrate[@]}") at=${3:-0} behind
  rc=0
  if [ "${2:-0}" -eq 0 ]; then
    { timeout 300 "${faulty[@]}" >/dev/null 2>"$scratch/stderr"; } 2>/dev/null || rc=$? # the shell tells of kills
    return
  fi
  behind=$(($2 - at - 1))
  local line=(mpirun --oversubscribe --bind-to none)
  [ "$at" -eq 0 ] || line+=(-n "$at" "${sound[@]}" :)
  line+=(-n 1 "${faulty[@]}")
  [ $behind -eq 0 ] || line+=(: -n $behind "${sound[@]}")
  timeout 300 "${line[@]}" >/dev/null 2>"$scratch/stderr" || rc=$?
}
said() { sed 's/^/  /' "$scratch/stderr" >&2; }

# whole: what is there under final names is what a whole run writes, file by file, or nothing.
whole() {
  local file
  [ -d "$scratch/out" ] || return 0
  while read -r file; do
    cmp -s "$scratch/out/$file" "$scratch/undisturbed/$file" || { said; fail "$1: $file is not what a whole run writes"; }
  done < <(cd "$scratch/out" && find . -type f ! -name '.*' ! -path './checkpoint/*' ! -name run.json ! -name report.html)
}
# again WHAT: the same command, undisturbed: the same bits.
again() {
  "${calibrate[@]}" >/dev/null 2>"$scratch/stderr" || { said; fail "$1: the run after it"; }
  [ "$(bits "$scratch/out")" = "$expected" ] || fail "$1: other bits afterwards"
  [ -z "$(find "$scratch/out" -name '.*')" ] || fail "$1: left behind: $(find "$scratch/out" -name '.*')"
  rm -rf "$scratch/out"
}

# --- a rank is killed after its first block, each in turn
for n in 1 2 3 5; do
  for ((rank = 0; rank < n; rank++)); do
    broken "block.done:1=kill" "$n" "$rank"
    # a rank may have got no block, but the first one has work for two
    [ $rc -eq 137 ] || { [ $rc -eq 0 ] && [ "$n" -gt 2 ]; } || { said; fail "rank $rank of $n: expected 137, found $rc"; }
    whole "rank $rank of $n killed"
    again "rank $rank of $n killed"
  done
done
echo "ok: kill -9 of each of 1, 2, 3 and 5 ranks"

# --- killed at any step of any file: checkpoints, models, archive, report, manifest
n_kills=0
for point in open write fsync close rename fsync_folder; do
  for ((n = 1;; n++)); do
    broken "$slowly,output.$point:$n=kill"
    [ $rc -ne 0 ] || break
    [ $rc -eq 137 ] || { said; fail "output.$point:$n=kill: exit $rc"; }
    whole "output.$point:$n=kill"
    again "output.$point:$n=kill"
    n_kills=$((n_kills + 1))
  done
  rm -rf "$scratch/out"
done
[ $n_kills -gt 30 ] || fail "only $n_kills kills: is the program built with faults?"
echo "ok: killed at $n_kills steps of writing"

# --- three ranks write a checkpoint in shards; one of them is killed at any step of a file, or in the midst of its work
# behind it. The rank's files of the checkpoint come first, so some steps are enough.
calibrate+=(--set calibration.granularity=per-channel) # 24 MiB of counters
"${calibrate[@]}" --set output=undisturbed_wide >/dev/null || fail "undisturbed, per channel"
mv "$scratch/undisturbed" "$scratch/undisturbed_narrow"
mv "$scratch/undisturbed_wide" "$scratch/undisturbed"
expected=$(bits "$scratch/undisturbed")
n_kills=0
for rank in 0 1; do
  for point in open write fsync rename fsync_folder; do
    for n in 1 2 3; do
      broken "$slowly,output.$point:$n=kill" 3 $rank
      [ $rc -eq 137 ] || { [ $rc -eq 0 ] && [ "$n" -gt 1 ]; } || { said; fail "rank $rank, output.$point:$n=kill: exit $rc"; }
      whole "rank $rank, output.$point:$n=kill"
      again "rank $rank, output.$point:$n=kill"
      n_kills=$((n_kills + (rc != 0)))
    done
  done
done
[ $n_kills -gt 15 ] || fail "only $n_kills kills of ranks that write shards"
echo "ok: killed at $n_kills steps of writing shards"
calibrate=("${calibrate[@]:0:${#calibrate[@]}-2}")
rm -rf "$scratch/undisturbed"
mv "$scratch/undisturbed_narrow" "$scratch/undisturbed"
expected=$(bits "$scratch/undisturbed")

# --- a disk that fails at any step of any file: 74 and one sentence. A checkpoint that cannot be written is a warning, and
# the run goes on: that all files are through is known when a few steps more do no harm.
n_failures=0
for fault in open=ENOSPC write=ENOSPC fsync=EIO close=EDQUOT rename=EIO fsync_folder=EIO; do
  n_harmless=0
  for ((n = 1; n_harmless < 6; n++)); do
    broken "$slowly,output.${fault%=*}:$n=${fault#*=}"
    [ $rc -eq 74 ] || [ $rc -eq 0 ] || { said; fail "output.${fault%=*}:$n: expected exit 74, found $rc"; }
    n_harmless=$((rc == 0 ? n_harmless + 1 : 0))
    [ "$(grep -c '^etalon: ' "$scratch/stderr")" -eq $((rc != 0)) ] || { said; fail "output.${fault%=*}:$n: expected one message"; }
    [ -z "$(find "$scratch/out" -name '.*')" ] || fail "output.${fault%=*}:$n: left behind: $(find "$scratch/out" -name '.*')"
    whole "output.${fault%=*}:$n"
    again "output.${fault%=*}:$n"
    n_failures=$((n_failures + (rc != 0)))
  done
  rm -rf "$scratch/out"
done
[ $n_failures -gt 30 ] || fail "only $n_failures failures"
echo "ok: a disk that fails at $n_failures steps of writing"

# --- no memory, at the n-th allocation: 71 and one sentence that says for what. The first hundred, then ever fewer.
n_failures=0
for ((n = 1;; n += 1 + n / 100 * 8)); do
  broken "memory:$n=ENOMEM"
  [ $rc -ne 0 ] || break
  [ $rc -eq 71 ] || { said; fail "memory:$n: expected exit 71, found $rc"; }
  [ "$(grep -c '^etalon: ' "$scratch/stderr")" -eq 1 ] || { said; fail "memory:$n: expected one message"; }
  [ ! -e "$scratch/out/manifest.json" ] || fail "memory:$n: it looks finished"
  whole "memory:$n"
  rm -rf "$scratch/out"
  n_failures=$((n_failures + 1))
done
rm -rf "$scratch/out"
[ $n_failures -gt 100 ] || fail "only $n_failures allocations failed"
echo "ok: no memory at $n_failures of some $n allocations"
