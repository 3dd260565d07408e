#!/usr/bin/env bash
# From a fresh Debian machine to a tested Etalon: installs packages, builds, runs every test.
#
#   ./tests/run.sh                 everything but what carries the label "nightly"
#   ./tests/run.sh --nightly       everything
#   ./tests/run.sh --sanitize      the same suite under the address and undefined-behaviour sanitizers
#   ./tests/run.sh -- CTEST-ARGS   further arguments for ctest, e.g. -R histogram
set -euo pipefail
cd "$(dirname "$0")/.."
. jobs/packages.sh

preset=release select=(-LE nightly)
while [ $# -gt 0 ]; do
  case $1 in
  --nightly) select=() ;;
  --sanitize) preset=asan ;;
  --) shift; break ;;
  *) echo "usage: tests/run.sh [--nightly] [--sanitize] [-- CTEST-ARGS]" >&2; exit 64 ;;
  esac
  shift
done

need_packages "${BUILD_PACKAGES[@]}" libonnx-testdata python3-venv
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none

# Independent readers live in a virtual environment of the build tree: only tests may use them.
mkdir -p build
venv=build/venv
if [ ! -e "$venv/ready" ]; then
  if python3 -m venv "$venv" && "$venv/bin/pip" install -q -r tests/requirements.txt; then
    touch "$venv/ready"
  else
    echo "tests/run.sh: no Python packages; the tests that need them will be reported as skipped" >&2
  fi
fi

cmake --preset "$preset" >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
cmake --build --preset "$preset" -- -k 0
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "${select[@]}" "$@"
