#!/bin/bash
# Types the lines of the README's quickstart as they stand: what is needed first, then what is to be done in less than a
# minute. They have to end in the picture that is promised. Where others have used the processors meanwhile, how long it
# took says nothing of harnessd, and is only told.
set -u

# block N: that block of commands of README.md.
block() {
    awk -v number="$1" '/^```sh$/ { count++; inside = count == number; next } /^```$/ { inside = 0 } inside' README.md
}

# Seconds that all processors together have been busy.
busy() {
    awk -v ticks="$(getconf CLK_TCK)" '/^cpu / { print ($2 + $3 + $4 + $7 + $8 + $9) / ticks }' /proc/stat
}

# Seconds of processor time that what this has started has used.
used() {
    awk -v ticks="$(getconf CLK_TCK)" '{ print ($16 + $17) / ticks }' /proc/$$/stat
}

export DEBIAN_FRONTEND=noninteractive
block 1 | bash -e || exit 1

others=$(busy)
ours=$(used)
started=$(date +%s.%N)
output=build/quickstart.log
mkdir build
block 2 | bash -e >"$output" 2>&1 || failed=yes
cat "$output"
[ -z "${failed:-}" ] || exit 1
# That of Erlang, which the node has started.
epmd -kill
for text in '^Run [0-9]*: completed$' '^  met  max_recovery_ms' '^Faults: 2$' 'suspend undone'; do
    grep -q -- "$text" "$output" || { echo "the picture has no '$text'"; exit 1; }
done

echo "$started $(date +%s.%N) $others $(busy) $ours $(used) $(nproc)" | awk '{
    seconds = $2 - $1
    loaded = ($4 - $3) - ($6 - $5) > seconds * $7 / 5
    printf "the quickstart took %.0f s%s\n", seconds, loaded ? ", others have used the processors as well" : ""
    exit seconds > 60 && !loaded
}'
