#!/usr/bin/env bash
# Fuzzes every parser in turn with libFuzzer under the address and undefined-behaviour sanitizers (preset `fuzz`, clang).
#
#   tests/fuzz/run.sh SECONDS [PARSER...]      so many seconds a parser; default: all of them
#
# Seeds come from corpus/<parser>; what is found to be new grows in build/fuzz/found/<parser> and is kept from run to run.
# Ends with 1 when a parser crashed, leaked, hung or took too much memory: build/fuzz/artifacts/<parser>-* is the input. Once
# mended, it goes into corpus/<parser> under a name that begins with crash-.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { echo "usage: tests/fuzz/run.sh SECONDS [PARSER...]" >&2; exit 64; }
seconds=$1; shift
here=tests/fuzz build=build/fuzz
[ $# -gt 0 ] || set -- $(cd $here && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')

cmake --preset fuzz >/dev/null
mkdir -p $build/artifacts
ninja -C $build "${@/#/libfuzzer_}" | tail -1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 ASAN_OPTIONS=allocator_may_return_null=1
rc=0
for parser; do
  mkdir -p "$build/found/$parser" "$here/corpus/$parser"
  nice "$build/tests/fuzz/libfuzzer_$parser" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=10 -max_len=65536 \
    -dict=$here/dictionary -artifact_prefix="$build/artifacts/$parser-" -print_final_stats=1 -verbosity=0 \
    "$build/found/$parser" "$here/corpus/$parser" >"$build/artifacts/$parser.log" 2>&1 ||
    { echo "$parser: $(grep -aE 'ERROR|runtime error|an input of|SUMMARY' "$build/artifacts/$parser.log" | head -3)"; rc=1; }
  echo "$parser: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/artifacts/$parser.log") inputs"
done
exit $rc
