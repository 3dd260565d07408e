#!/usr/bin/env bash
# From a fresh Debian machine to an int8 network: installs packages, builds, draws pictures, calibrates on two ranks.
#
#   ./jobs/demo/run.sh            results in out/demo
#   ./jobs/demo/run.sh FOLDER     results there; a folder that is finished already is left as it is
#
# Writes to build/ and to the results' folder only.
set -euo pipefail
[ $# -le 1 ] && [[ ${1:-} != -* ]] || { echo "usage: jobs/demo/run.sh [FOLDER]" >&2; exit 64; }
out=$(realpath -m -- "${1:-$(dirname "$0")/../../out/demo}")
cd "$(dirname "$0")/../.."
. jobs/packages.sh

say() { echo "== $*" >&2; }

# quietly COMMAND...: what it says goes to build/demo.log, and to the terminal if it fails.
quietly() {
  "$@" >build/demo.log 2>&1 || { local rc=$?; cat build/demo.log >&2; exit "$rc"; }
}

need_packages "${BUILD_PACKAGES[@]}"
mkdir -p build

say "Building build/release/etalon"
# The tests are configured too, but not built: the folder is the one that tests/run.sh goes on with.
quietly cmake --preset release
quietly cmake --build --preset release --target etalon etalon-demo-images

say "Drawing 1,000 pictures to calibrate with and 2,000 to measure accuracy on: build/demo"
build/release/etalon-demo-images --out build/demo --calibration 1000 --evaluation 2000

say "Calibrating on two ranks: jobs/demo/demo.yaml"
# Two ranks also where there is one core; each may run on any core.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
mpirun -n 2 build/release/etalon calibrate jobs/demo/demo.yaml --set "output=$out"

cat <<EOF

Results: $out
  onnx-qdq/  tnn/     the quantized network for each target
  report.html         open it in a browser: accuracy, layers, histograms
  report.json         accuracy, and the error of every layer, for dashboards and gates
  archive.h5          the statistics: what was measured, and every decision
  manifest.json       size and SHA-256 of every file; the same for any number of ranks
EOF
