#!/usr/bin/env bash
# step.sh NAME COMMAND...: runs the command between a line with its name and one with
# the time it took.
set -euo pipefail
name=$1
shift
echo "==> $name"
SECONDS=0
"$@"
echo "    $name took ${SECONDS}s"
