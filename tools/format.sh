#!/usr/bin/env bash
# format.sh: fails and names every Go file that gofumpt would change.
set -euo pipefail
unformatted=$(go tool -modfile=tools/go.mod gofumpt -l .)
if [ -n "$unformatted" ]; then
	echo "not formatted, run make fmt:"
	echo "$unformatted"
	exit 1
fi
