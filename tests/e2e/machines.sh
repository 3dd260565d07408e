#!/usr/bin/env bash
# Ranks on machines of different kinds: one that computes other fp32 bits is named before the first record is counted, a
# common instruction set pinned in the job makes them agree, and what was counted with another one is not gone on with.
. "$(dirname "$0")/lib.sh"
draw 40 0
demo_job demo
calibrate=("$ETALON" calibrate -q "$scratch/demo.yaml")
# beside ISA [OPTIONS]: two ranks; the second is as if on a machine that has no more than this instruction set.
beside() {
  local isa=$1; shift
  mpirun --oversubscribe --bind-to none -n 1 "${calibrate[@]}" "$@" : \
    -n 1 env "ONEDNN_MAX_CPU_ISA=$isa" "${calibrate[@]}" "$@"
}

grep -qE 'avx2|avx512f' /proc/cpuinfo || skip "this machine has no more than SSE4.1"
expect 69 "rank 1: host $(hostname) (sse41) computes other fp32 bits than rank 0" beside SSE41
grep -q "rank 0 is on host $(hostname) (avx" "$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "rank 0 is not named"; }
[ ! -e "$scratch/demo" ] || fail "left behind: $(find "$scratch/demo")"
echo "ok: $(grep '^etalon: ' "$scratch/stderr")"

"${calibrate[@]}" --set engine.isa=sse41 --set output=pinned >/dev/null || fail "one rank, pinned"
beside SSE41 --set engine.isa=sse41 >/dev/null || fail "two kinds of machines with a common instruction set"
[ "$(bits "$scratch/demo")" = "$(bits "$scratch/pinned")" ] || fail "a pinned instruction set gives other bits on others"
echo "ok: engine.isa makes two kinds of machines agree"
