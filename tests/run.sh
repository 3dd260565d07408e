#!/usr/bin/env bash
# From a fresh Debian machine to a tested Etalon: installs packages, builds, runs every test.
#
#   ./tests/run.sh                 everything but what carries the label "nightly"
#   ./tests/run.sh --nightly       everything
#   ./tests/run.sh --sanitize      the same suite under the address and undefined-behaviour sanitizers
#   ./tests/run.sh --strict        a test that is skipped because a tool is absent has failed (our own CI)
#   ./tests/run.sh -- CTEST-ARGS   further arguments for ctest, e.g. -R histogram
set -euo pipefail
cd "$(dirname "$0")/.."
. jobs/packages.sh

preset=release select=(-LE nightly)
while [ $# -gt 0 ]; do
  case $1 in
  --nightly) select=() ;;
  --sanitize) preset=asan ;;
  --strict) export STRICT=1 ;; # read by tests/e2e/lib.sh
  --) shift; break ;;
  *) echo "usage: tests/run.sh [--nightly] [--sanitize] [--strict] [-- CTEST-ARGS]" >&2; exit 64 ;;
  esac
  shift
done

need_packages "${BUILD_PACKAGES[@]}" libonnx-testdata
# What only some tests use. Whatever is missing in the end, they are skipped and say what they lack.
optional=(python3-venv python3-torch protobuf-compiler hdf5-tools chromium iproute2 slurm-wlm munge shellcheck clang-format dpkg-dev file)
need_packages "${optional[@]}" || echo "tests/run.sh: going on without ${optional[*]}" >&2

# Independent readers live in a virtual environment of the build tree: only tests may use them.
mkdir -p build
venv=build/venv
if [ ! -e "$venv/ready" ] || [ tests/requirements.txt -nt "$venv/ready" ]; then
  if python3 -m venv "$venv" && "$venv/bin/pip" install -q -r tests/requirements.txt; then
    touch "$venv/ready"
  else
    echo "tests/run.sh: going on without Python packages" >&2
  fi
fi

cmake --preset "$preset" >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
cmake --build --preset "$preset"
rc=0
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "${select[@]}" "$@" || rc=$?
grep -a '^skipped' "build/$preset/Testing/Temporary/LastTest.log" | sort | uniq -c >&2 || true
exit $rc
