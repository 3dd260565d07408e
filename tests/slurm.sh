# slurm.sh — sourced by tests of slurm/*.sbatch on a Slurm of their own (cluster.sh): one calibration long enough to be
# disturbed, what one undisturbed process makes of it, and what is asked of jobs.
TMPDIR=/var/tmp # /tmp is another one on each host
. "$(dirname "${BASH_SOURCE[0]}")/e2e/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "network name spaces need root"
for tool in ip nsenter unshare slurmctld slurmd srun munged; do need_tool $tool; done
unshare --net --mount --uts true 2>/dev/null || skip "name spaces are not allowed here"

cluster=$scratch/cluster
. "$SOURCE/tests/cluster.sh"
cluster_take 300 || skip "another test has had this machine's cluster for five minutes"
trap 'cluster_down; rm -rf "$scratch"' EXIT

# slurm_up HOSTS RECORDS: a cluster, $scratch/job.yaml, which writes to $scratch/out, and $expected, its bits.
slurm_up() {
  cluster_up "$1"
  cluster_slurm || { cat "$cluster"/*.log >&2; fail "Slurm does not start"; }
  draw 10 0
  { yes "calibration/disc/0000.jpg 0" || true; } | head -n "$2" >"$scratch/list.txt"
  demo_job job 'targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}'
  sed -i 's|list: pictures/calibration.txt|list: list.txt|; s|^output: .*|output: out|' "$scratch/job.yaml"
  "$ETALON" calibrate -q "$scratch/job.yaml" --set output=undisturbed >/dev/null || fail "one process, undisturbed"
  expected=$(bits "$scratch/undisturbed")
  export ETALON
}

# submit [OPTIONS OF SBATCH] -- SCRIPT WORDS...: sets $job; its log is $scratch/log.
submit() {
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  : >"$scratch/log"
  job=$(on 1 sbatch --parsable --chdir="$scratch" --output="$scratch/log" "${options[@]}" "$SOURCE/slurm/$1" "${@:2}") ||
    fail "sbatch ${options[*]}"
}
# The usual one: two hosts, a rank on each, and a checkpoint every second until it is held.
submit_calibration() {
  sed -i 's/interval: [0-9]*/interval: 1/' "$scratch/job.yaml"
  submit --nodes=2 --ntasks-per-node=1 "$@" -- etalon.sbatch calibrate "$scratch/job.yaml"
}

# of_job KEY: what scontrol says of $job: JobState, Restarts, ExitCode ...
of_job() { on 1 scontrol show job "$job" | grep -oE "(^| )$1=[^ ]*" | head -n 1 | cut -d= -f2; }
is_state() { [ "$(of_job JobState)" = "$1" ]; }
has_restarted() { [ "$(of_job Restarts)" -ge 1 ]; }

# ranks_on_hosts: the process ids of the ranks of all jobs, on all hosts.
ranks_on_hosts() {
  local pid k
  for k in $(cat "$cluster/nodes"); do
    for pid in $(ip netns pids "$(_namespace "$k")"); do
      [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" != "$(realpath "$ETALON")" ] || echo "$pid"
    done
  done
}
# hold: once there is a checkpoint, all ranks stand still until go, so that no fault comes after the end; starts from now
# on keep checkpoints only when told to, which on a busy machine take longer than a second. told: SIGUSR1 waits for each.
hold() {
  wait_for 120 kept
  mapfile -t held < <(ranks_on_hosts)
  [ ${#held[@]} -gt 0 ] || { shows >&2; fail "no rank is there to be held"; }
  kill -STOP "${held[@]}"
  sed -i 's/interval: [0-9]*/interval: 600/' "$scratch/job.yaml"
}
go() { kill -CONT "${held[@]}" 2>/dev/null || true; }
told() {
  local pid pending
  for pid in "${held[@]}"; do
    pending=$(awk '$1 == "ShdPnd:" { print $2 }' "/proc/$pid/status") && ((0x$pending >> 9 & 1)) || return 1
  done
}
kept() { find "$scratch/out/checkpoint" -name '?.h5' | grep -q .; } # shards come before their index
shows() { echo "--- job"; on 1 scontrol show job "$job"; echo "--- its log"; cat "$scratch/log"; }

# ends STATE: as one of Slurm's words for it.
ends() {
  local end=$((SECONDS + 300)) state
  until state=$(of_job JobState) && [[ $state =~ COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL ]]; do
    [ $SECONDS -lt $end ] || { shows >&2; fail "the job is still $state"; }
    sleep 0.3
  done
  [ "$state" = "$1" ] || { shows >&2; fail "expected the job to be $1 in the end, found $state"; }
}

# same_bits WHAT: the results are those of the undisturbed process; they are taken away.
same_bits() {
  [ -e "$scratch/out/manifest.json" ] || { shows >&2; fail "no results: $1"; }
  [ "$(bits "$scratch/out")" = "$expected" ] || fail "other bits: $1"
  [ ! -e "$scratch/out/checkpoint" ] || fail "the checkpoint has stayed: $1"
  rm -rf "$scratch/out"
  echo "ok: the same bits, $1"
}
went_on() { grep -q "going on after [1-9][0-9]* of" "$scratch/log" || { shows >&2; fail "begun anew: $1"; }; }
