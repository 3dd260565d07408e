#!/usr/bin/env bash
# What happens to jobs on a cluster, on a real Slurm of three hosts: the time limit, preemption with and without notice,
# scancel, a job array, data staged to nodes, a host that dies, a cable that is pulled for a moment and for long. Each ends
# in the bits of an undisturbed process.
. "$(dirname "$0")/../slurm.sh"
slurm_up 3 "$(sized 40000 4000)"
away=--nodelist=node2,node3 # node1 has slurmctld
anywhere() { on 1 scontrol update "jobid=$job" reqnodelist= || { shows >&2; fail "the list of nodes stays"; }; }
all_idle() { [ "$(on 1 sinfo -h -p main -o '%T %D')" = "idle 3" ]; }

# --- SIGUSR1 before the limit (a minute is the least there is; Slurm looks every 30 s)
submit_calibration --time=1 --signal=B:USR1@35
hold
wait_for 90 told
go
wait_for 60 has_restarted
on 1 scontrol update "jobid=$job" timelimit=60
ends COMPLETED
went_on "after a time limit"
! grep -q "DUE TO TIME LIMIT" "$scratch/log" || { shows >&2; fail "the limit came before the stop"; }
same_bits "stopped before its time limit"

# --- preemption: at once, and with a time of grace, in which SIGUSR1 asks for a checkpoint
for partition in main kind; do
  submit_calibration --partition=$partition
  hold
  on 1 srun --partition=urgent --nodes=3 --exclusive sleep 1 2>"$scratch/urgent" & urgent=$!
  [ $partition = main ] || wait_for 60 told
  go
  wait $urgent || { cat "$scratch/urgent" >&2; shows >&2; fail "the urgent job"; }
  wait_for 60 has_restarted
  ends COMPLETED
  went_on "preempted in $partition"
  [ $partition = main ] || grep -q "stopped on request" "$scratch/log" || { shows >&2; fail "no notice was given"; }
  same_bits "preempted in partition $partition"
done

# --- scancel, and the same job submitted again
submit_calibration
hold
on 1 scancel "$job"
go
ends CANCELLED
[ ! -e "$scratch/out/manifest.json" ] || fail "a cancelled job looks finished"
submit --nodes=2 --ntasks-per-node=1 -- etalon.sbatch calibrate "$scratch/job.yaml"
ends COMPLETED
went_on "after scancel"
same_bits "cancelled and submitted again"

# --- a zoo as a job array: five jobs on three elements, which are told to stop, and the summary behind it
for k in 1 2 3 4 5; do cp "$scratch/job.yaml" "$scratch/net$k.yaml"; done
printf 'jobs: [net?.yaml]\noutput: zoo\n' >"$scratch/zoo.yaml"
submit --array=0-2 --ntasks=1 -- etalon.sbatch zoo "$scratch/zoo.yaml"
wait_for 120 eval 'ls -d "$scratch"/zoo/net?'
on 1 scancel --batch --signal=USR1 "$job"
wait_for 300 eval '[ -z "$(on 1 squeue -h -j "$job")" ]'
grep -q "JOB REQUEUE" "$scratch/log" || { shows >&2; fail "no element went back to the queue"; }
submit --ntasks=1 -- etalon.sbatch zoo "$scratch/zoo.yaml"
ends COMPLETED
for k in 1 2 3 4 5; do
  [ "$(bits "$scratch/zoo/net$k")" = "$expected" ] || { shows >&2; fail "job $k of the array"; }
done
grep -q "5 calibrated, 0 unchanged, 0 failed" "$scratch/log" || { shows >&2; fail "the summary"; }
rm -rf "$scratch/zoo"
echo "ok: the same bits, five jobs on three elements of an array"

# --- an LMDB on each node's own disk
"$ETALON" dataset build "$scratch/pictures" "$scratch/pictures/calibration.txt" "$scratch/lmdb" || fail "dataset build"
sed 's|^dataset: .*|dataset: {kind: lmdb, path: lmdb}|' "$scratch/job.yaml" >"$scratch/lmdb.yaml"
"$ETALON" calibrate -q "$scratch/lmdb.yaml" --set output=undisturbed_lmdb >/dev/null || fail "LMDB, undisturbed"
ETALON_STAGE=$scratch/lmdb ETALON_LOCAL=/tmp submit --nodes=2 --ntasks-per-node=1 -- etalon.sbatch calibrate "$scratch/lmdb.yaml"
ends COMPLETED
[ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed_lmdb")" ] || fail "other bits: a staged LMDB"
[ -z "$(find "$cluster"/tmp? -name 'etalon.*')" ] || fail "left on the nodes: $(find "$cluster"/tmp? -name 'etalon.*')"
rm -rf "$scratch/out"
echo "ok: the same bits, an LMDB on each node's own disk"

# --- a host dies: its slurmd and its rank are gone; the job goes on elsewhere
submit_calibration $away
hold
cluster_kill_host 3
go
wait_for 120 has_restarted
anywhere
ends COMPLETED
went_on "after a host died"
! grep -q node3 "$scratch/out/run.json" || fail "the dead host took part"
same_bits "a host died"
cluster_slurmd 3
wait_for 60 all_idle

# --- the cable of a rank's host is pulled for a moment: nobody notices
submit_calibration $away
hold
cluster_link 3 down
go
sleep 3
cluster_link 3 up
ends COMPLETED
[ "$(of_job Restarts)" -eq 0 ] || { shows >&2; fail "three seconds without network have ended the job"; }
same_bits "three seconds without network"

# --- and for so long that Slurm gives the host up, whether it has rank 0 or another: what still runs there does no harm
for host in 3 2; do
  submit_calibration $away
  hold
  cluster_link $host down
  go
  wait_for 120 has_restarted
  anywhere
  ends COMPLETED
  cluster_link $host up
  went_on "after node$host was cut off"
  wait_for 60 all_idle
  same_bits "node$host cut off for long"
done
