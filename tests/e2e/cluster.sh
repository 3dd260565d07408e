#!/usr/bin/env bash
# Across hosts: the bits of a run on one host, one verdict, and a lock that names the host. Two hosts of their own network
# name spaces, under mpirun over TCP and under srun.
TMPDIR=/var/tmp # /tmp is another one on each host
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "network name spaces need root"
for tool in ip nsenter unshare; do need_tool $tool; done
unshare --net --mount --uts true 2>/dev/null || skip "name spaces are not allowed here"

cluster=$scratch/cluster
. "$SOURCE/tests/cluster.sh"
cluster_take 300 || skip "another test has had this machine's cluster for five minutes"
trap 'cluster_down; rm -rf "$scratch"' EXIT
cluster_up 2

draw 200 0
demo_job demo
"$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "one process"
plain=$(bits "$scratch/demo")

# same WHAT: the results are those of one process, and both hosts took part.
same() {
  [ "$(bits "$scratch/demo")" = "$plain" ] || fail "other bits: $1"
  grep -q node1 "$scratch/demo/run.json" && grep -q node2 "$scratch/demo/run.json" || fail "not on both hosts: $1"
  echo "ok: the same bits, $1"
  rm -rf "$scratch/demo"
}
rm -rf "$scratch/demo"
for n in 2 5; do
  cluster_mpirun $n "$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "$n ranks on two hosts"
  same "$n ranks on two hosts"
done

# One rank fails, on whatever host: both hosts stop at once, with its exit code.
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n 600000 >"$scratch/long.txt"
{ head -n 20 "$scratch/long.txt"; echo "nowhere.jpg 0"; cat "$scratch/long.txt"; } >"$scratch/broken.txt"
expect 65 "record nowhere.jpg" cluster_mpirun 4 timeout 30 \
  "$ETALON" calibrate -q "$scratch/demo.yaml" --set dataset.list=broken.txt
[ ! -e "$scratch/demo" ] || fail "left behind: $(find "$scratch/demo")"
echo "ok: $(grep '^etalon: ' "$scratch/stderr")"

# A lock is believed across hosts: whether its process lives cannot be seen from here.
on 1 "$ETALON" calibrate -q "$scratch/demo.yaml" --set dataset.list=long.txt >/dev/null 2>&1 &
wait_for 20 grep -q start "$scratch/demo/.etalon.lock"
holder=$(awk '$1 == "pid" { print $2 }' "$scratch/demo/.etalon.lock")
expect 73 "in use by pid $holder on node1" on 2 "$ETALON" calibrate -q "$scratch/demo.yaml"
kill -KILL "$holder"
wait $! && fail "a killed run cannot have succeeded"
expect 73 " on node1" on 2 "$ETALON" calibrate -q "$scratch/demo.yaml"
on 1 "$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "the lock of a dead process on the same host"
rm -rf "$scratch/demo"
echo "ok: a lock names its host and is believed on others"

for tool in slurmctld slurmd srun munged; do need_tool $tool; done
cluster_slurm || { cat "$cluster"/*.log >&2; fail "Slurm does not start"; }
slurm_run() { on 1 srun --mpi=pmix --kill-on-bad-exit=1 -N 2 -n 4 --overcommit "$@"; }
slurm_run "$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "srun"
same "4 tasks of srun on two hosts"
expect 65 "record nowhere.jpg" slurm_run timeout 30 \
  "$ETALON" calibrate -q "$scratch/demo.yaml" --set dataset.list=broken.txt
echo "ok: $(grep '^etalon: ' "$scratch/stderr")"
