#!/bin/sh
# Whether a page of the manual is in order: no warning of who formats it, nothing of what it was made from in it, and what
# it shows is what the program takes.
#
#     sh tests/manual.sh build/release/packaging/harnessd.8 build/release/harnessd
#
# Flags and what follows them are those of the program's help, and all of them are in the synopsis of who has them;
# configurations have no problems; functions and scenario files that examples name are there.
#
# The status is 0 if it is, 1 if it is not, 77 if man is not installed.

set -u
export LC_ALL=C.UTF-8
command -v man >/dev/null || exit 77
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
page=$1
program=$2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

# flags FILE: each with what follows it, "--port N", wherever lines are broken.
flags() {
    tr -s ' \n' '  ' <"$1" | grep -oE -- '(^|[^a-z-])--[a-z]+(-[a-z]+)*( [A-Z]+([@:=][A-Z]+)?(\[@HOST])?)?' | sed 's/^[^-]//' | sort -u
}

# What help has behind two spaces.
flags_of_help() {
    "$program" "$@" | sed -nE 's/^  (--[a-z-]+)( [A-Z]+([@:=][A-Z]+)?(\[@HOST])?)?.*/\1\2/p' | sort -u
}

# In examples a value follows a flag.
has_no_flag_but_those_of_the_program() {
    { flags_of_help --help && flags_of_help run --help; } | sort -u >"$scratch/known"
    sed 's/ .*//' "$scratch/known" | sort -u >"$scratch/names"
    flags "$scratch/page" | sed 's/ .*//' | sort -u | comm -23 - "$scratch/names" | sed 's/^/no such flag: /'
    flags "$scratch/synopsis" | comm -23 - "$scratch/known" | sed 's/^/the synopsis has another: /'
}

# has_all_flags HELP...
has_all_flags() {
    flags "$scratch/synopsis" >"$scratch/shown"
    flags_of_help "$@" | comm -23 - "$scratch/shown" | sed 's/^/the synopsis has no /'
}

# Each block of code of the page goes to a file, as who copies it has it.
write_blocks() {
    awk -v folder="$scratch" '/^\.nf/ {file = folder "/block" ++count; next} /^\.fi/ {file = ""; next} file {print > file}' "$page"
    for block in "$scratch"/block*; do
        [ -e "$block" ] || continue
        sed -i "s/\\\\-/-/g; s/\\\\(aq/'/g; s/\\\\(ga/\`/g; s/\\\\(ti/~/g; s/\\\\(ha/^/g; s/\\\\e/\\\\/g; s/^\\\\&//" "$block"
    done
}

# problems_of_configurations: there is one at least.
problems_of_configurations() {
    count=0
    for block in "$scratch"/block*; do
        [ "$(head -c 1 "$block")" = '{' ] || continue
        count=$((count + 1))
        "$program" --check-config "$block" >"$scratch/checked" 2>&1 || cat "$block" "$scratch/checked"
    done
    [ "$count" -gt 0 ] || echo "there is no configuration"
}

# Functions are sections of api.md, which is written from their table.
names_what_there_is() {
    cat "$scratch"/block* 2>/dev/null | grep -oE '\bharness, :?[a-z_]+' | sed 's/.*[ :]//' | sort -u | while read -r function; do
        grep -qE "^## (.*, )?$function/[0-9]" "$tree/docs/reference/api.md" || echo "there is no function $function"
    done
    cat "$scratch"/block* 2>/dev/null | grep -oE '(\{:?file, "|"file": "|run )[a-z_]+' | sed 's/.*[" ]//' | sort -u | while read -r file; do
        [ -e "$tree/config/scenarios/$file.json" ] || echo "there is no scenario $file"
    done
}

MANWIDTH=80 man --warnings --encoding=UTF-8 --local-file "$page" 2>"$scratch/said" >"$scratch/page"
# Marks of Markdown, and a line that is longer than a screen is wide.
grep -nE '`|\]\(|.{81}' "$scratch/page" >>"$scratch/said"
awk '/^[A-Z]/ {wanted = /^SYNOPSIS/} wanted' "$scratch/page" >"$scratch/synopsis"
write_blocks
{
    has_no_flag_but_those_of_the_program
    names_what_there_is
    case ${page##*/} in
    harnessd.8) has_all_flags --help ;;
    harnessd-run.1) has_all_flags run --help ;;
    harnessd.json.5) problems_of_configurations ;;
    esac
} >>"$scratch/said"
[ -s "$scratch/page" ] && ! [ -s "$scratch/said" ] && exit 0
cat "$scratch/said"
exit 1
