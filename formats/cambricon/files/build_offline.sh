#!/usr/bin/env bash
# Makes the offline models of this folder in the vendor's image.
#   ./build_offline.sh [pytorch|caffe|tensorflow]      default: the first whose tool and files are here
# pytorch and caffe make two, with fp16 and with fp32 between layers of integers; tensorflow makes one.
# Environment: CORE_VERSION (@CHIP@), CORE_NUMBER (1), BATCH (1); BOTH_WIDTHS=1: those of ../@OTHER@, too.
# Exit status 69: tool or files are not here; 70: a tool made no model; 64: wrong use. A model is there once this says
# "made", and none is left behind that is not whole.
set -euo pipefail
cd "$(dirname "$0")"
name=@QUOTED_NAME@_int@BITS@
version=${CORE_VERSION:-@CHIP@} cores=${CORE_NUMBER:-1} batch=${BATCH:-1} flow=${1:-}
chip=$(echo "$version" | tr '[:upper:]' '[:lower:]')

stop() {
  echo "build_offline.sh: $2" >&2
  exit "$1"
}

is_here() { # its tool and its files
  case $1 in
    pytorch) [ -e "$name.pth" ] && python3 -c 'import torch_mlu' 2>/dev/null ;;
    caffe) [ -e "$name.prototxt" ] && command -v caffe >/dev/null ;;
    tensorflow) [ -e "${name}_tf.pb" ] && command -v pb_to_cambricon.host >/dev/null ;;
  esac
}

from_pytorch() { # FLOAT OUT
  local half=--half
  [ "$1" = fp16 ] || half=
  python3 genoff.py --weights "$name.pth" ${half:+"$half"} --core-version "$version" --core-number "$cores" \
    --batch "$batch" --out "$2"
}

from_caffe() { # FLOAT OUT
  local suffix=
  [ "$1" = fp16 ] || suffix=_fp32
  caffe genoff -model "$name$suffix.prototxt" -weights "$name.caffemodel" -mname "$2" -mcore "$version" \
    -simple_compile 1 -batchsize "$batch" -core_number "$cores" -opt_level 1
}

from_tensorflow() { # FLOAT OUT
  { echo "model_name:$2.cambricon" && tail -n +2 "${name}_tf.txt" | sed "s/\",1,/\",$batch,/"; } >"$2.txt" &&
    pb_to_cambricon.host --graph="${name}_tf.pb" --param_file="$2.txt" --mlu_core_version="$version" \
      --core_num="$cores" --precision=int@BITS@
}

# A signal ends the tool, too, with the group of processes that it has to itself; what is whole stays.
tool='' making=''

interrupt() { # STATUS
  trap '' HUP INT TERM
  if [ -n "$tool" ]; then
    kill -TERM -- "-$tool" 2>/dev/null || true
    ( sleep 5; kill -KILL -- "-$tool" 2>/dev/null ) >/dev/null 2>&1 &
    wait "$tool" || true
  fi
  [ -z "$making" ] || rm -f "$making.cambricon" "$making.cambricon_twins"
  stop "$1" "interrupted${making:+; $making.cambricon was not made}"
}
trap 'interrupt 129' HUP
trap 'interrupt 130' INT
trap 'interrupt 143' TERM

make() { # FLOAT OUT
  rm -f "$2.cambricon" "$2.cambricon_twins"
  making=$2
  set -m
  "from_$flow" "$1" "$2" </dev/null &
  tool=$!
  set +m
  if wait "$tool" && [ -s "$2.cambricon" ]; then
    tool='' making=''
    echo "made $2.cambricon"
  else
    rm -f "$2.cambricon" "$2.cambricon_twins"
    stop 70 "$2.cambricon was not made"
  fi
}

case $version in MLU220 | MLU270) ;; *) stop 64 "CORE_VERSION: expected MLU220 or MLU270, found \"$version\"" ;; esac
for number in "$cores" "$batch"; do
  case $number in '' | 0* | *[!0-9]*) stop 64 "CORE_NUMBER and BATCH are counts, found \"$number\"" ;; esac
done
case $flow in
  '')
    for flow in pytorch caffe tensorflow none; do
      [ "$flow" != none ] || stop 69 "no tool of the vendor is here that reads these files: run this in Cambricon's image; nothing was made"
      ! is_here "$flow" || break
    done
    ;;
  pytorch | caffe | tensorflow) is_here "$flow" || stop 69 "$flow: its tool or its files are not here; nothing was made" ;;
  *) stop 64 "expected pytorch, caffe or tensorflow, found \"$flow\"" ;;
esac

if [ "$flow" = tensorflow ]; then
  make "" "${name}_tf_$chip"
else
  make fp16 "${name}_fp16_$chip"
  make fp32 "${name}_fp32_$chip"
fi

if [ "${BOTH_WIDTHS:-0}" = 1 ]; then
  [ -e ../@OTHER@/build_offline.sh ] || stop 69 "../@OTHER@ is not here: calibrate for that target, too"
  BOTH_WIDTHS=0 bash ../@OTHER@/build_offline.sh "$flow"
fi
