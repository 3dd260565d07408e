# lib.sh — sourced by the end-to-end tests. Each test gets ETALON (the program), DEMO_IMAGES (which draws pictures), SOURCE
# (the checkout), PYTHON (of the test environment, may be absent) and SANITIZED (1 in a sanitizer build, which is some ten
# times slower) in the environment, and a folder of its own that is removed at the end.
set -euo pipefail

scratch=$(mktemp -d "${TMPDIR:-/tmp}/etalon-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
data=$SOURCE/../shared/data    # real networks, where they lie beside the checkout
demo=$SOURCE/jobs/demo         # a network that is always there, with pictures that are drawn
here=$SOURCE/tests/e2e
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "skipped: $*"; exit 77; }
need_data() { [ -d "$data" ] || skip "the real networks beside the checkout are absent"; }
lack() { [ "${STRICT:-0}" = 0 ] || fail "$*"; skip "$*"; } # a tool that tests/run.sh would have installed
need_tool() { command -v "$1" >/dev/null || lack "$1 is absent"; }
need_python() { [ -x "${PYTHON:-}" ] && "$PYTHON" -c "import $1" 2>/dev/null || lack "the Python package $1 is absent"; }

# sized N SMALL: how many records to take: N, or SMALL in a sanitizer build.
sized() { if [ "${SANITIZED:-0}" = 1 ]; then echo "$2"; else echo "$1"; fi; }

# ranks N COMMAND...: under mpirun, or plainly for "0".
ranks() {
  local n=$1; shift
  if [ "$n" -eq 0 ]; then "$@"; else mpirun --oversubscribe --bind-to none -n "$n" "$@"; fi
}

# draw CALIBRATION EVALUATION: so many pictures for the demo's network, in $scratch/pictures.
draw() { "$DEMO_IMAGES" --out "$scratch/pictures" --calibration "$1" --evaluation "$2" || fail "pictures"; }

# demo_job NAME [KEYS]: $scratch/NAME.yaml, the demo's network on the pictures drawn, with further keys of the job file
# (default: two targets). The results go to $scratch/NAME.
demo_job() {
  printf 'model: {file: %s}\ndataset: {kind: images, path: pictures, list: pictures/calibration.txt}\noutput: %s\n%b\n' \
    "$demo/demo.onnx" "$1" "preprocess: [{channels: rgb}, {mean: 127.5}, {divide: 64}]\n${2:-targets: [onnx-qdq, tnn]}" \
    >"$scratch/$1.yaml"
}

# ranks_of MPIRUN: the process ids of the ranks that an mpirun has started here.
ranks_of() {
  local pid
  for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    [ "$(readlink "/proc/$pid/exe")" != "$(realpath "$ETALON")" ] || echo "$pid"
  done
}

# expect CODE "text" COMMAND...: the exit status and a part of what is said on stderr. Both streams are kept in $scratch.
expect() {
  local code=$1 text=$2 rc=0; shift 2
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" || rc=$?
  [ "$rc" -eq "$code" ] || { cat "$scratch/stderr" >&2; fail "expected exit $code, found $rc: $*"; }
  [ -z "$text" ] || grep -qF -- "$text" "$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "expected \"$text\" to be said: $*"; }
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails the test after that time.
wait_for() {
  local end=$((SECONDS + $1)); shift
  until "$@" 2>/dev/null; do [ $SECONDS -lt $end ] || fail "still not so after a while: $*"; sleep 0.05; done
}

# The SHA-256 of everything a run promises to be the same for any number of ranks.
bits() {
  (cd "$1" && find . -type f ! -name run.json ! -name report.html -print0 | sort -z | xargs -0 sha256sum | sha256sum)
}
