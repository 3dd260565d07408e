#!/usr/bin/env bash
# Is every C page as .clang-format has it? Asked of the version that this project uses, Debian 12's: others break lines
# elsewhere. To mend a page: clang-format -i PAGE.
. "$(dirname "$0")/e2e/lib.sh"
need_tool clang-format
[[ $(clang-format --version) == *"version 14."* ]] || lack "clang-format 14 is absent"
cd "$SOURCE"
find . -path ./build -prune -o -name '*.[ch]' -print0 >"$scratch/pages"
n=$(tr -cd '\0' <"$scratch/pages" | wc -c)
[ "$n" -gt 500 ] || fail "only $n pages were found"
xargs -0 clang-format --dry-run -Werror <"$scratch/pages" 2>"$scratch/said" ||
  fail "not formatted:" $(sed -n 's/:.*error:.*//p' "$scratch/said" | sort -u)
echo "ok: $n pages"
