#!/bin/sh
# Whether a page of the manual is in order: no warning of who formats it, and nothing of what it was made from in it.
#
#     sh tests/manual.sh build/release/packaging/harnessd.8
#
# The status is 0 if it is, 1 if it is not, 77 if man is not installed.

set -u
export LC_ALL=C.UTF-8
command -v man >/dev/null || exit 77
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

MANWIDTH=80 man --warnings --encoding=UTF-8 --local-file "$1" 2>"$scratch/said" >"$scratch/page"
# Marks of Markdown, and a line that is longer than a screen is wide.
grep -nE '`|\]\(|.{81}' "$scratch/page" >>"$scratch/said"
[ -s "$scratch/page" ] && ! [ -s "$scratch/said" ] && exit 0
cat "$scratch/said"
exit 1
