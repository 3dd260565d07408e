#!/usr/bin/env bash
# The batch script on a real Slurm of two hosts: stopped by SIGUSR1, it goes back to the queue and ends in the bits of an
# undisturbed process, under srun and under mpirun; other errors are not tried again. slurm_faults.sh has what takes long.
. "$(dirname "$0")/../slurm.sh"
slurm_up 2 "$(sized 40000 4000)"

for launcher in srun mpirun; do
  ETALON_LAUNCHER=$launcher submit_calibration
  hold
  on 1 scancel --batch --signal=USR1 "$job"
  wait_for 30 told
  go
  wait_for 60 has_restarted
  ends COMPLETED
  grep -q "stopped on request after [1-9]" "$scratch/log" || { shows >&2; fail "$launcher: not stopped on request"; }
  went_on "$launcher"
  grep -q node1 "$scratch/out/run.json" && grep -q node2 "$scratch/out/run.json" || fail "$launcher: not on both hosts"
  same_bits "$launcher on two hosts, stopped by SIGUSR1 and requeued"
done

# --- a data error must not loop; a folder already finished is no work
head -n 100 "$scratch/list.txt" >"$scratch/short.txt"
{ cat "$scratch/short.txt"; echo "nowhere.jpg 0"; } >"$scratch/list.txt"
submit_calibration
ends FAILED
[ "$(of_job ExitCode)" = 65:0 ] && [ "$(of_job Restarts)" -eq 0 ] || { shows >&2; fail "expected exit 65 and no restart"; }
grep -q "record nowhere.jpg" "$scratch/log" || { shows >&2; fail "the message is not in the log"; }
echo "ok: exit 65 is not requeued"

# --- the script that the program writes for a partition runs there
rm -rf "$scratch/out"
on 1 "$ETALON" calibrate "$scratch/job.yaml" --slurm main --set dataset.list=short.txt --set output=out >"$scratch/job.sbatch" ||
  fail "--slurm"
job=$(on 1 sbatch --parsable --chdir="$scratch" --output="$scratch/log" "$scratch/job.sbatch") || fail "sbatch of --slurm's"
ends COMPLETED
"$ETALON" calibrate -q "$scratch/job.yaml" --set output=undisturbed_short --set dataset.list=short.txt >/dev/null
[ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed_short")" ] || fail "other bits: the script that --slurm writes"
expect 69 "nothing is known of a partition" env PATH=/nowhere "$ETALON" calibrate "$scratch/job.yaml" --slurm main
expect 78 "Slurm has no partition" on 1 "$ETALON" calibrate "$scratch/job.yaml" --slurm nowhere
echo "ok: calibrate --slurm"
