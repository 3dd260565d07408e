#!/usr/bin/env bash
# The build script of the targets cambricon-* under tools that are not the vendor's: what it calls them with, and that it says
# "made" of what is there and of nothing else, whatever a tool does.
. "$(dirname "$0")/lib.sh"

draw 16 4
"$ETALON" convert "$demo/demo.onnx" --to tensorflow --name net -o "$scratch/net" >/dev/null || fail "convert"
demo_job job "targets: [cambricon-mlu220, cambricon-mlu220-int16]\nevaluate: {skip: true}"
sed -i "s|^model: .*|model: {file: $scratch/net/net.pb}|" "$scratch/job.yaml"
"$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null || fail "calibrate"
folder=$scratch/job/cambricon-mlu220
script=$folder/build_offline.sh
if command -v shellcheck >/dev/null; then shellcheck "$script" "$folder-int16/build_offline.sh" || fail "shellcheck"; fi
python3 -c "compile(open('$folder/genoff.py').read(), 'genoff.py', 'exec')" || fail "genoff.py is no Python"

# Tools: each writes down how it was called, and makes the file that it is told to make, unless $BREAKS is a part of its
# arguments: then it makes half of one and fails. With $SILENT it makes none and says that all is well.
mkdir "$scratch/vendor"
cat >"$scratch/vendor/caffe" <<'END'
#!/bin/bash
echo "$(basename "$0") $*" >>"$CALLS"
[ "$1" != -c ] || exit "${NO_TORCH:-0}" # python3 -c 'import torch_mlu'
while [ $# -gt 0 ]; do
  case $1 in
    -mname | --out) out=$2.cambricon ;;
    --param_file=*) out=$(sed -n 's/^model_name://p' "${1#*=}"); cp "${1#*=}" "$CALLS.parameters" ;;
  esac
  shift
done
[ -z "${SILENT:-}" ] || exit 0
echo model >"$out"
if [ -n "${HANGS:-}" ]; then echo $$ >"$CALLS.pid"; exec sleep 600; fi
[ -z "${BREAKS:-}" ] || [[ $out != *$BREAKS* ]] || exit 1
echo twins >"${out}_twins"
END
chmod +x "$scratch/vendor/caffe"
ln -s caffe "$scratch/vendor/python3"
ln -s caffe "$scratch/vendor/pb_to_cambricon.host"

# build CODE "said on stderr" "made, in a line" [VARIABLE=VALUE...] [FLOW]
build() {
  local code=$1 said=$2 made=$3 flow=(); shift 3
  rm -f "$scratch/calls"* "$scratch/job"/*/*.cambricon*
  if [ $# -gt 0 ] && [[ ${*: -1} != *=* ]]; then flow=("${@: -1}"); set -- "${@:1:$#-1}"; fi
  expect "$code" "$said" env CALLS="$scratch/calls" PATH="$scratch/vendor:$PATH" "$@" bash "$script" "${flow[@]}"
  [ "$(sed -n 's/^made //p' "$scratch/stdout" | paste -sd' ')" = "$made" ] || fail "said made: $(cat "$scratch/stdout")"
  [ "$(find "$scratch/job" -name '*.cambricon' -printf '%f\n' | LC_ALL=C sort)" = "$(xargs -n 1 <<<"$made" | LC_ALL=C sort)" ] ||
    fail "other models than those made: $(ls "$folder")"
}

called() { grep -qxF -- "$1" "$scratch/calls" || { cat "$scratch/calls" >&2; fail "not called: $1"; }; }

both="net_int8_fp16_mlu220.cambricon net_int8_fp32_mlu220.cambricon"
build 0 "" "$both" CORE_NUMBER=4 BATCH=2
called "python3 genoff.py --weights net_int8.pth --half --core-version MLU220 --core-number 4 --batch 2 --out net_int8_fp16_mlu220"
called "python3 genoff.py --weights net_int8.pth --core-version MLU220 --core-number 4 --batch 2 --out net_int8_fp32_mlu220"
build 0 "" "$both" NO_TORCH=1
called "caffe genoff -model net_int8_fp32.prototxt -weights net_int8.caffemodel -mname net_int8_fp32_mlu220 -mcore MLU220 -simple_compile 1 -batchsize 1 -core_number 1 -opt_level 1"
build 0 "" "${both//mlu220/mlu270}" CORE_VERSION=MLU270 caffe
build 0 "" "$both ${both//int8/int16}" BOTH_WIDTHS=1
build 0 "" net_int8_tf_mlu220.cambricon BATCH=8 tensorflow
called "pb_to_cambricon.host --graph=net_int8_tf.pb --param_file=net_int8_tf_mlu220.txt --mlu_core_version=MLU220 --core_num=1 --precision=int8"
grep -qxF '"image",8,32,32,3' "$scratch/calls.parameters" || fail "parameters: $(cat "$scratch/calls.parameters")"

# A step that fails, after another, or with a file left behind; a tool that lies; tools and files that are not there.
build 70 "net_int8_fp32_mlu220.cambricon was not made" net_int8_fp16_mlu220.cambricon BREAKS=fp32
build 70 "net_int8_fp16_mlu220.cambricon was not made" "" BREAKS=fp16 caffe
build 70 "net_int16_fp16_mlu220.cambricon was not made" "$both" BREAKS=int16 BOTH_WIDTHS=1
build 70 "net_int8_tf_mlu220.cambricon was not made" "" BREAKS=tf tensorflow
build 70 "net_int8_fp16_mlu220.cambricon was not made" "" SILENT=1
build 69 "pytorch: its tool or its files are not here; nothing was made" "" NO_TORCH=1 pytorch
build 64 "expected MLU220 or MLU270, found \"MLU100\"" "" CORE_VERSION=MLU100
build 64 "CORE_NUMBER and BATCH are counts, found \"0\"" "" CORE_NUMBER=0
build 64 "expected pytorch, caffe or tensorflow, found \"onnx\"" "" onnx

# A signal while a tool is at work: neither what it was making nor the tool is left.
for signal in INT TERM; do
  rm -f "$scratch/calls"* "$scratch/job"/*/*.cambricon*
  # A shell's background process ignores SIGINT, and bash then cannot trap it.
  python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' env HANGS=1 CALLS="$scratch/calls" PATH="$scratch/vendor:$PATH" bash "$script" \
    >"$scratch/stdout" 2>"$scratch/stderr" &
  script_id=$!
  for _ in $(seq 200); do [ ! -s "$scratch/calls.pid" ] || break; sleep 0.05; done
  kill -"$signal" "$script_id"
  code=0; wait "$script_id" || code=$?
  [ "$code" = $((128 + $(kill -l "$signal"))) ] || fail "$signal: exit status $code"
  grep -q "interrupted; net_int8_fp16_mlu220.cambricon was not made" "$scratch/stderr" || fail "$(cat "$scratch/stderr")"
  [ -z "$(find "$scratch/job" -name '*.cambricon*')" ] || fail "$signal: half a model is left"
  ! kill -0 "$(cat "$scratch/calls.pid")" 2>/dev/null || fail "$signal: the tool runs on"
done

mv "$folder-int16" "$scratch/aside"
build 69 "../cambricon-mlu220-int16 is not here" "$both" BOTH_WIDTHS=1
rm "$folder/net_int8.pth"
build 0 "" "$both"
called "caffe genoff -model net_int8.prototxt -weights net_int8.caffemodel -mname net_int8_fp16_mlu220 -mcore MLU220 -simple_compile 1 -batchsize 1 -core_number 1 -opt_level 1"
echo "ok: build_offline.sh"
