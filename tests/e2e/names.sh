#!/usr/bin/env bash
# Names with quotes, line ends, blanks, and bytes that are no text: what every target writes of them can be read, or it says
# beforehand which name its files cannot hold.
. "$(dirname "$0")/lib.sh"
need_python onnx
need_python yaml

"$PYTHON" "$here/check_names.py" make "$scratch" || fail "networks"
all=(onnx-qdq tnn ascend horizon-j6 sophon-bm1684 cambricon-mlu220 ncnn mnn tensorrt)

# holds KIND [TARGET...]: all targets but these take such names, and these refuse them.
holds() {
  local kind=$1 target rc=0 left=(); shift
  for target in "${all[@]}"; do [[ " $* " == *" $target "* ]] || left+=("$target"); done
  printf 'model: {file: %s.onnx}\ndataset: {kind: npy, path: x.npy}\ntargets: [%s]\nevaluate: {skip: true}\noutput: %s\n' \
    "$kind" "$(IFS=,; echo "${all[*]}")" "$kind" >"$scratch/$kind.yaml"
  "$ETALON" calibrate -q "$scratch/$kind.yaml" >/dev/null 2>"$scratch/stderr" || rc=$?
  [ "$rc" -eq $(($# > 0 ? 69 : 0)) ] || { cat "$scratch/stderr" >&2; fail "$kind: exit status $rc"; }
  for target; do grep -q "target $target: .*cannot hold" "$scratch/stderr" || fail "$kind: $target does not say why"; done
  "$PYTHON" "$here/check_names.py" check "$kind" "$scratch/$kind" "${left[@]}" || fail "$kind"
  echo "ok: $kind"
}
holds quotes
holds lines horizon-j6 ncnn tensorrt
holds blanks ncnn
holds bytes horizon-j6
holds breaks horizon-j6
