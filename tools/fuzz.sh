#!/usr/bin/env bash
# fuzz.sh DURATION: runs every fuzz target of the module for so long, one after the
# other, and fails at the first that finds something.
set -euo pipefail
fuzztime=$1

# Before Go 1.27, go test -fuzz now and then reports its own deadline as a failure of
# the target (golang/go#75804). A finding always names the input that it wrote.
found_nothing() {
	grep -q '^ *context deadline exceeded$' "$1" && ! grep -Eq 'Failing input|panic:' "$1"
}

output=$(mktemp)
trap 'rm -f "$output"' EXIT
git ls-files --cached --others --exclude-standard '*_test.go' |
	xargs grep -Ho '^func Fuzz[A-Za-z0-9_]*' |
	sed 's/:func /:/' | sort |
	while IFS=: read -r file target; do
		package=./$(dirname "$file")
		if go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package" >"$output" 2>&1 </dev/null ||
			found_nothing "$output"; then
			echo "    $package $target: $(grep -o 'execs: [0-9]*' "$output" | tail -n 1)"
		else
			cat "$output"
			exit 1
		fi
	done
