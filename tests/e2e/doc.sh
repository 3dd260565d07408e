#!/usr/bin/env bash
# The manual against the program: every verb, option, target, method, key, word, field and exit code has its place in
# jobs/doc, and nothing else has; examples of jobs are jobs; links lead somewhere.
. "$(dirname "$0")/lib.sh"
manual=$SOURCE/jobs/doc
pages=$(cd "$manual" && find . -name '*.md' | sed 's|^\./||' | sort)

# same WHAT FILE FILE: two sorted lists, of the program (not empty) and of the manual, are equal.
same() {
  [ -s "$2" ] || fail "$1: nothing was found"
  diff "$2" "$3" >"$scratch/diff" || { cat "$scratch/diff" >&2; fail "$1: the program (<) and the manual (>) differ"; }
  echo "ok: $1: $(wc -l <"$2")"
}

# names FILE...: what stands in `...` in the first column of tables, one name a line.
names() { grep -hE '^\| `' "$@" | cut -d'|' -f2 | grep -oE '`[^`]+`' | tr -d '`' | sort -u; }

# ---- verbs, targets, methods: a page each ----

# pages_of FOLDER [PAGES that are about something else]
pages_of() { (cd "$manual/$1" && printf '%s\n' *.md) | sed 's/\.md$//' | grep -vxE "${2:-}" | sort; }
"$ETALON" --help | awk '/^  [a-z]/ {print $1}' | sort >"$scratch/verbs"
"$ETALON" targets | awk '{print $1}' | sort >"$scratch/targets"
"$ETALON" methods | awk '{print $2}' | sort -u >"$scratch/methods" # a word may name two methods, of activations and of weights
same verbs "$scratch/verbs" <(pages_of verbs)
same targets "$scratch/targets" <(pages_of targets)
same methods "$scratch/methods" <(pages_of methods 'bias-correction|equalization|refinement|rounding|zero-points')
for list in targets methods; do # their lists are quoted whole
  "$ETALON" "$list" >"$scratch/said"
  same "the list that \`etalon $list\` prints" "$scratch/said" <(grep -Fxf "$scratch/said" "$manual/verbs/$list.md")
done

# ---- options: the verb's page, the page for man, the completion ----

tr -d '\\' <"$manual/etalon.1" >"$scratch/man"
while read -r verb; do
  "$ETALON" "$verb" --help | grep -oE -- '^  (-., |    )--[a-z_-]+' | grep -oE -- '--.*' | sort -u >"$scratch/options"
  if [ "$verb" = targets ] || [ "$verb" = methods ]; then # theirs are everybody's
    printf -- '--help\n--quiet\n--verbose\n' >"$scratch/documented"
  else
    names "$manual/verbs/$verb.md" | grep -oE -- '^--[a-z_-]+' | sort -u >"$scratch/documented"
  fi
  same "options of $verb" "$scratch/options" "$scratch/documented"
  while read -r option; do
    grep -qE -- "(^|[^a-z-])$option([^a-z_-]|$)" "$scratch/man" || fail "etalon.1 does not know $option of $verb"
  done <"$scratch/options"
done <"$scratch/verbs"
while read -r verb; do grep -qw -- "$verb" "$scratch/man" || fail "etalon.1 does not know $verb"; done <"$scratch/verbs"
if command -v groff >/dev/null; then
  groff -man -ww -z "$manual/etalon.1" 2>"$scratch/stderr" && [ ! -s "$scratch/stderr" ] ||
    { cat "$scratch/stderr" >&2; fail "groff complains about etalon.1"; }
fi

# complete LINE: what the shell would offer at its end.
complete_line() (
  . "$manual/etalon.bash"
  COMP_LINE=$1 COMP_POINT=${#1}
  read -ra COMP_WORDS <<<"$1"
  [[ $1 != *" " ]] || COMP_WORDS+=("")
  COMP_WORDS[0]=$ETALON COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _etalon
  printf '%s\n' "${COMPREPLY[@]}"
)
offers() { grep -qxF -- "$2" <<<"$(complete_line "$1")" || fail "completion of \"$1\" does not offer $2"; }
while read -r verb; do offers "etalon " "$verb"; done <"$scratch/verbs"
offers "etalon calibrate x.yaml --dr" --dry-run
offers "etalon dataset build --resize_h" --resize_height
offers "etalon dataset " build
offers "etalon calibrate x.yaml --set calibration.act" calibration.activations=
offers "etalon calibrate x.yaml --set calibration.activations=k" kl
offers "etalon calibrate x.yaml --set=targets=" "[onnx-qdq]"

# ---- operators ----

grep -oE '^    \{"[A-Za-z0-9]+", [0-9]' "$SOURCE/formats/tensorflow/tf_ops.c" | cut -d'"' -f2 | sort >"$scratch/operators"
same "operators of TensorFlow graphs" "$scratch/operators" \
  <(awk '/^Operators: Abs/,/\.$/' "$manual/models.md" | grep -oE '[A-Z][A-Za-z0-9]+' | grep -vx Operators | sort)
grep -oE '^    \{"[A-Za-z0-9]+", [0-9]+' "$SOURCE/formats/onnx/onnx_ops.c" | cut -d'"' -f2 | sort -u >"$scratch/operators"
same "operators of ONNX models" "$scratch/operators" \
  <(awk '/^Known operators: Abs/,/\.$/' "$manual/models.md" | grep -oE '[A-Z][A-Za-z0-9]+' | grep -vx Known | sort)

# ---- keys of the job file ----

names "$manual/job.md" | grep -E '^[a-z_]+(\[\])?(\.|$)' >"$scratch/paths"
# The program's own: the tables of fields. The manual's: paths such as preprocess[].resize.height, taken apart.
{
  grep -ohE '\{"[a-z_]+", (read|schema)_' "$SOURCE"/jobs/*.c
  grep -ohE '\{"[a-z0-9_]+", SETTING_' "$SOURCE"/formats/*/*.c
  grep -oE '^target_options\.[a-z0-9-]+\.' "$scratch/paths" | sed 's/[^.]*\.\(.*\)\./{"\1"/' # a target's name; below: a key
  grep -ohE '\{"[a-z0-9_]+", KEY_|^ *\[STEP_[A-Z_]+\] = \{"[a-z_]+"' "$SOURCE"/common/preprocess_steps.c
} | cut -d'"' -f2 | sort -u >"$scratch/keys"
tr -d '[]' <"$scratch/paths" | tr . '\n' | sort -u >"$scratch/words"
same "words of keys" "$scratch/keys" "$scratch/words"

cat >"$scratch/job.yaml" <<'EOF'
model: {file: nowhere.onnx}
dataset: {kind: images, path: nowhere}
evaluate: {dataset: {kind: images, path: nowhere}}
targets: [onnx-qdq]
output: out
EOF

# nested PATH: `TOP={a: [{b: {}}]}` for TOP.a[].b: a value that no key but a section takes, where the key would stand.
nested() {
  local path=$1 value='{}' part
  while [[ $path == *.* ]]; do
    part=${path##*.} path=${path%.*}
    if [[ $part == *'[]' ]]; then value="{${part%'[]'}: [$value]}"; else value="{$part: $value}"; fi
  done
  if [[ $path == *'[]' ]]; then value="[$value]"; fi
  echo "${path%'[]'}=$value"
}
while read -r path; do # a word may belong elsewhere; the whole path must be a key
  "$ETALON" calibrate --dry-run "$scratch/job.yaml" --set "$(nested "$path")" >/dev/null 2>"$scratch/stderr" || true
  if grep -q ': key "' "$scratch/stderr"; then cat "$scratch/stderr" >&2; fail "job.md has $path, which is no key"; fi
done <"$scratch/paths"
echo "ok: keys: $(wc -l <"$scratch/paths")"
complete_line "etalon calibrate --set " | tr -d = | sort >"$scratch/offered"
same "keys that the completion offers" "$scratch/offered" <(grep -vF '[]' "$scratch/paths" | sort)

# accepted KEY=VALUE: the program goes on until the files are missing, or beyond what this machine can do.
accepted() {
  local rc=0 kind=images
  case $1 in dataset.kind=*) kind=${1#*=} ;; dataset.dtype=* | dataset.layout=* | dataset.channels=*) kind=bin ;;
    dataset.member=*) kind=tar ;; esac
  "$ETALON" calibrate --dry-run -q "$scratch/job.yaml" --set "dataset.kind=$kind" --set "$1" >/dev/null 2>"$scratch/stderr" || rc=$?
  [ "$rc" -eq 66 ] || [[ $rc -eq 69 && $1 == engine.isa=* ]] || { cat "$scratch/stderr" >&2; fail "job.md has $1"; }
}
n=0
while IFS='|' read -r _ key type default _; do # defaults, and the words a key takes
  key=$(tr -d '` ' <<<"$key")
  for value in "$(grep -oE '`[^`]+`' <<<"$default" | tr -d '`')" $(grep -oE '`[a-z0-9_-]+`' <<<"$type" | tr -d '`'); do
    if [ -z "$value" ] || [ "$value" = "${key##*.}" ] || grep -qxF -- "$value" "$scratch/paths"; then continue; fi
    accepted "$key=$value"
    n=$((n + 1))
  done
done < <(grep -E '^\| `' "$manual/job.md" | grep -vF '[]')
[ "$n" -gt 30 ] || fail "expected more than 30 defaults and words in job.md, found $n"
echo "ok: defaults and words: $n"

# Fenced blocks of YAML: whole jobs as they are, parts of one on top of job.yaml.
example() {
  local rc=0 verb=(calibrate --dry-run -q) file=$scratch/example.yaml
  case $(cat "$1") in
    jobs:*) cp "$1" "$file"; verb=(zoo) ;;
    *output:*) cp "$1" "$file" ;;
    evaluate:*) { grep -v '^evaluate:' "$scratch/job.yaml"; cat "$1"; } >"$file" ;;
    calibration:*) cat "$scratch/job.yaml" "$1" >"$file" ;;
    *) { cat "$scratch/job.yaml"; echo "preprocess:"; sed 's/^/  /' "$1"; } >"$file" ;;
  esac
  "$ETALON" "${verb[@]}" "$file" >/dev/null 2>"$scratch/stderr" || rc=$?
  [ "$rc" -eq 66 ] || { cat "$1" "$scratch/stderr" >&2; fail "an example is no job"; }
}
for page in $pages; do
  awk -v to="$scratch/yaml-${page//\//-}" '/^```/ {inside = !inside && /^```yaml/; n += inside; next} inside {print > (to "-" n)}' \
    "$manual/$page"
done
for block in "$scratch"/yaml-*; do example "$block"; done
echo "ok: examples: $(ls "$scratch"/yaml-* | wc -l)"

# ---- exit codes ----

grep -ohE '\bEX_(USAGE|DATAERR|NO[A-Z]+|UNAVAILABLE|SOFTWARE|OS[A-Z]+|CANTCREAT|IOERR|TEMPFAIL|PROTOCOL|CONFIG)\b' -r \
  "$SOURCE"/{common,formats,worker,coordinator,jobs} --include='*.c' | sort -u >"$scratch/codes"
same "exit codes" "$scratch/codes" <(grep -E '^\| [0-9]' "$manual/errors.md" | grep -oE 'EX_[A-Z]+' | sort -u)

# ---- the output folder ----

draw 2 2
sed -n '$p' "$scratch/pictures/calibration.txt" | sed 's/^/gone/' >>"$scratch/pictures/calibration.txt"
demo_job run "targets: [$(paste -sd, "$scratch/targets")]\nlimits: {max_bad_records: 1}\ncalibration: {granularity: per-channel}
evaluate: {local_errors: true, original: true}"
"$ETALON" calibrate -q "$scratch/run.yaml" >/dev/null || fail "calibrate"
for name in report run manifest; do
  grep -oE '"[a-z_0-9]+": ' "$scratch/run/$name.json" | cut -d'"' -f2
done | sort -u | grep -vxFf "$scratch/targets" >"$scratch/fields"
while read -r field; do
  grep -qE "\`([a-zA-Z0-9_.]+\.)?$field[.\`]" "$manual/report.md" || fail "report.md does not know the field $field"
done <"$scratch/fields"
echo "ok: fields of reports: $(wc -l <"$scratch/fields")"
(cd "$scratch/run" && find . -type f -printf '%P\n') | while read -r file; do # one that a target's page or report.md names
  name=$(basename "$file" | sed -E 's/^demo(\b|_)/<model>\1/')
  grep -qF -- "$name" "$manual/report.md" "$manual"/targets/*.md || fail "the manual does not know $file"
done

# ---- links ----

# headings FILE: the anchors that a reader of Markdown makes of them.
headings() { sed -n 's/^##* //p' "$1" | tr 'A-Z' 'a-z' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }
n=0
for page in README.md $(printf 'jobs/doc/%s\n' $pages); do
  for link in $(grep -oE '\]\([^)]+\)' "$SOURCE/$page" | sed 's/^](//; s/)$//'); do
    case $link in http:* | https:*) continue ;; esac
    file=$(dirname "$SOURCE/$page")/${link%%#*}
    [ "${link%%#*}" ] || file=$SOURCE/$page
    [ -e "$file" ] || fail "$page: the link $link leads nowhere"
    [[ $link != *#* ]] || grep -qxF -- "${link#*#}" <<<"$(headings "$file")" || fail "$page: no heading for the link $link"
    n=$((n + 1))
  done
done
[ "$n" -gt 50 ] || fail "expected more than 50 links, found $n"
for page in $pages; do
  [ "$page" = index.md ] || grep -qF "($page)" "$manual/index.md" || fail "index.md does not name $page"
done
echo "ok: links: $n"

# ---- what is installed ----

cmake --install "$(dirname "$ETALON")" --prefix "$scratch/usr" >"$scratch/stdout" 2>&1 || { cat "$scratch/stdout" >&2; fail "install"; }
for file in bin/etalon share/man/man1/etalon.1 share/bash-completion/completions/etalon share/doc/etalon/job.md \
  share/doc/etalon/verbs/calibrate.md; do
  [ -s "$scratch/usr/$file" ] || fail "$file is not installed"
done
echo "ok: installed"
