#!/usr/bin/env bash
# The guide of the manual as its reader goes through it: with Etalon installed, in an empty folder, command by command.
. "$(dirname "$0")/lib.sh"
guide=$SOURCE/jobs/doc/guide.md
cmake --install "$(dirname "$ETALON")" --prefix "$scratch/usr" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; fail "install"; }
export PATH=$scratch/usr/bin:$PATH OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
mkdir "$scratch/work"
cd "$scratch/work"

# In order: "$ command" of a plain block; a block of YAML goes to the end of the file that was named last before it.
awk '
  /^```/ { inside = !inside; is_yaml = /^```yaml/; next }
  inside && is_yaml { print "file " name " " $0 }
  inside && !is_yaml && /^\$ / { print "run " substr($0, 3) }
  !inside { line = $0; while (match(line, /`[^` ]*\.yaml`/)) { name = substr(line, RSTART + 1, RLENGTH - 2); line = substr(line, RSTART + RLENGTH) } }
' "$guide" | sed "s|/usr/share/etalon|$scratch/usr/share/etalon|g" >"$scratch/steps"
n=0
while IFS= read -r step; do
  case $step in
  "file "*) step=${step#file }; printf '%s\n' "${step#* }" >>"${step%% *}" ;;
  "run "*)
    echo "\$ ${step#run }"
    bash -c "${step#run }" >"$scratch/said" 2>&1 </dev/null || { cat "$scratch/said" >&2; fail "${step#run }"; }
    cat "$scratch/said" >>"$scratch/all"
    n=$((n + 1))
    ;;
  esac
done <"$scratch/steps"
[ "$n" -ge 14 ] || fail "expected 14 commands or more, found $n"

# What the page says that comes of them.
for file in input.png out/shapes/{report.html,onnx-qdq/net.onnx,tnn/net.quantized.tnnmodel} zoo/{index.html,junit.xml}; do
  [ -s "$file" ] || fail "no $file"
done
for words in '50 nodes, 98 values' '100 records' '100 calibration records used, 0 skipped' 'where it is lost' '(500 records)' \
  '2 calibrated, 0 unchanged, 0 failed; 0 gates failed' '2 of 2 jobs accepted' '0 calibrated, 2 unchanged, 0 failed'; do
  grep -qF -- "$words" "$scratch/all" || fail "nothing says: $words"
done

# A network that has become worse: the night tells, and only its job is done again.
need_python onnx
"$PYTHON" "$here/zero_weights.py" nets/second/net.onnx nets/second/net.onnx
rc=0
etalon zoo zoo.yaml >"$scratch/said" 2>&1 || rc=$?
[ $rc -eq 1 ] && grep -q 'nets/second .*GATE' "$scratch/said" && grep -q '^1 calibrated, 1 unchanged' "$scratch/said" ||
  { cat "$scratch/said" >&2; fail "a worse network: exit code $rc"; }
