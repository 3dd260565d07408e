# cluster.sh — sourced: a few hosts on one machine, each with a network, a host name and a /tmp of its own, joined by a
# bridge; Slurm on top where it is asked for. Needs root, iproute2 and util-linux (Slurm: slurm-wlm, munge). All files and
# keys are in the folder $cluster, which must not lie under /tmp; the network is invisible from outside. One cluster at a
# time on a machine: others wait for it, and what a killed test has left is cleared away by the next.
#
#   cluster_take SECONDS          waits for this machine's turn; fails after that time. cluster_down ends it
#   cluster_up N                  hosts node1 ... nodeN
#   on K COMMAND...               on host K
#   cluster_mpirun NP COMMAND...  NP ranks on all hosts in turn, over TCP
#   cluster_link K up|down        a host's cable
#   cluster_kill_host K           everything that runs on a host is killed, its slurmd too
#   cluster_slurm                 slurmctld on node1, slurmd on every host; then: on 1 srun, on 1 sbatch ...
#   cluster_slurmd K              slurmd on host K once more
#   cluster_down

network=10.213.0

# The turn is a lock on a file that names the folder of the cluster that is up.
_turn=/run/etalon-cluster.turn # root's folder: its content is removed

cluster_take() {
  local left
  exec 9<>"$_turn" && flock -w "$1" 9 || return 1
  left=$(cat "$_turn")
  [[ ! "$left" =~ ^/var/tmp/etalon-test\.[A-Za-z0-9]{6}/cluster$ ]] || (cluster=$left && cluster_down && rm -rf "$left")
  echo "$cluster" >"$_turn"
}

_namespace() { echo "etalon$(printf %s "$cluster" | cksum | cut -c 1-6)-$1"; }

cluster_up() {
  local k switch; switch=$(_namespace switch)
  mkdir -p "$cluster"
  seq "$1" >"$cluster/nodes"
  echo "127.0.0.1 localhost" >"$cluster/hosts"
  ip netns add "$switch"
  ip -n "$switch" link add bridge type bridge
  ip -n "$switch" link set bridge up
  for k in $(cat "$cluster/nodes"); do
    mkdir -m 1777 "$cluster/tmp$k"
    echo "$network.$k node$k" >>"$cluster/hosts"
    ip netns add "$(_namespace "$k")"
    ip -n "$switch" link add "port$k" type veth peer name eth0 netns "$(_namespace "$k")"
    ip -n "$switch" link set "port$k" master bridge up
    ip -n "$(_namespace "$k")" addr add "$network.$k/24" dev eth0
    ip -n "$(_namespace "$k")" link set eth0 up
    ip -n "$(_namespace "$k")" link set lo up
  done
  # How mpirun reaches another host: this file again, in a shell of its own.
  printf '#!/bin/bash\ncluster=%q\n. %q\nhost=${1#node}; shift\non "$host" sh -c "$*"\n' \
    "$cluster" "$(realpath "${BASH_SOURCE[0]}")" >"$cluster/rsh"
  chmod +x "$cluster/rsh"
}

on() {
  local k=$1; shift
  SLURM_CONF=$cluster/slurm.conf nsenter --net="/run/netns/$(_namespace "$k")" unshare --uts --mount bash -c '
    hostname "node$1" && mount --bind "$2/tmp$1" /tmp && mount --bind "$2/hosts" /etc/hosts || exit 71
    shift 2; exec "$@"' on "$k" "$cluster" "$@" 9>&-
}

cluster_mpirun() {
  local np=$1 k list=; shift
  for k in $(cat "$cluster/nodes"); do list+=${list:+,}node$k:$np; done
  on 1 mpirun -n "$np" --host "$list" --map-by node --oversubscribe --bind-to none \
    --mca plm rsh --mca plm_rsh_agent "$cluster/rsh" --mca plm_rsh_no_tree_spawn 1 \
    --mca btl_tcp_if_include "$network.0/24" --mca oob_tcp_if_include "$network.0/24" "$@"
}

cluster_link() { ip -n "$(_namespace switch)" link set "port$1" "$2"; }

cluster_kill_host() {
  local pids; mapfile -t pids < <(ip netns pids "$(_namespace "$1")")
  [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
}

# A munged of our own: the machine's key and daemon are left alone.
_munge() {
  mkdir -p -m 755 "$cluster/munge"
  head -c 1024 /dev/urandom >"$cluster/munge/key"
  chmod 600 "$cluster/munge/key"
  munged --force --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" --pid-file="$cluster/munge/pid" \
    --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed" 2>/dev/null 9>&-
}

cluster_slurm() {
  local k n; n=$(wc -l <"$cluster/nodes")
  mkdir -p "$cluster/state"
  _munge || return 1
  cat >"$cluster/slurm.conf" <<CONF
ClusterName=etalon
SlurmctldHost=node1($network.1)
SlurmUser=root
AuthInfo=socket=$cluster/munge/socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=pmix
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdTimeout=10
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmctldParameters=preempt_send_user_signal
NodeName=node[1-$n] NodeAddr=$network.[1-$n] CPUs=$(nproc) RealMemory=1000
PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=kind Nodes=ALL PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF
CONF
  on 1 slurmctld || return 1
  for k in $(cat "$cluster/nodes"); do cluster_slurmd "$k" || return 1; done
  for _ in $(seq 100); do
    [ "$(on 1 sinfo -h -o '%T %D' 2>/dev/null)" != "idle $n" ] || return 0
    sleep 0.2
  done
  return 1
}

cluster_slurmd() { on "$1" slurmd -N "node$1"; }

cluster_down() {
  local file k pids=()
  for file in "$cluster"/slurm*.pid "$cluster/munge/pid"; do
    [ ! -s "$file" ] || ! grep -qE '^(slurm|munge)' "/proc/$(cat "$file")/comm" 2>/dev/null || pids+=("$(cat "$file")")
  done
  for signal in TERM KILL; do
    [ ${#pids[@]} -eq 0 ] || kill -$signal "${pids[@]}" 2>/dev/null || true
    for _ in $(seq 40); do # they still write to $cluster
      [ ${#pids[@]} -gt 0 ] && kill -0 "${pids[@]}" 2>/dev/null || break
      sleep 0.1
    done
  done
  for k in $(cat "$cluster/nodes" 2>/dev/null); do cluster_kill_host "$k"; done # jobs of a test that has failed
  for k in $(cat "$cluster/nodes" 2>/dev/null) switch; do ip netns del "$(_namespace "$k")" 2>/dev/null || true; done
  : >"$_turn"
}
