# lib.sh — sourced by the end-to-end tests. Each test gets ETALON (the program), SOURCE (the checkout) and PYTHON (of the
# test environment, may be absent) in the environment, and a folder of its own that is removed at the end.
set -euo pipefail

scratch=$(mktemp -d "${TMPDIR:-/tmp}/etalon-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
data=$SOURCE/../shared/data

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "skipped: $*"; exit 77; }
need_data() { [ -d "$data" ] || skip "the real networks beside the checkout are absent"; }
need_python() { [ -x "${PYTHON:-}" ] && "$PYTHON" -c "import $1" 2>/dev/null || skip "the Python package $1 is absent"; }

# ranks N COMMAND...: under mpirun, or plainly for "0".
ranks() {
  local n=$1; shift
  if [ "$n" -eq 0 ]; then "$@"; else mpirun --oversubscribe --bind-to none -n "$n" "$@"; fi
}

# expect CODE "text" COMMAND...: the exit status and a part of the one message.
expect() {
  local code=$1 text=$2 rc=0; shift 2
  "$@" >"$scratch/out" 2>"$scratch/err" || rc=$?
  [ "$rc" -eq "$code" ] || { cat "$scratch/err" >&2; fail "expected exit $code, found $rc: $*"; }
  grep -qF -- "$text" "$scratch/err" || { cat "$scratch/err" >&2; fail "expected the message to hold \"$text\": $*"; }
}

# The SHA-256 of everything a run promises to be the same for any number of ranks.
bits() { (cd "$1" && find . -type f ! -name run.json ! -name '.etalon.lock' -print0 | sort -z | xargs -0 sha256sum | sha256sum); }
