#!/usr/bin/env bash
# As refine.sh, with other methods, and stopped and killed in between.
LONG=1
. "$(dirname "$0")/refine.sh"
