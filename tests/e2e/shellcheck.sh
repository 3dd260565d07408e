#!/usr/bin/env bash
# The batch scripts that users take: no word from shellcheck, and no path of a machine of ours.
. "$(dirname "$0")/lib.sh"
need_tool shellcheck
shellcheck "$SOURCE"/slurm/*.sbatch || fail "shellcheck"
absolute=$(grep -nE '(^|[ ="(])/[a-z]' "$SOURCE"/slurm/*.sbatch | grep -vF '#!/bin/bash' || true)
[ -z "$absolute" ] || fail "absolute paths: $absolute"
echo "ok: slurm/*.sbatch"
