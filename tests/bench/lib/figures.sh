# Keeps the figures of all passes, and makes medians, tables and verdicts of them.

# Keeps a figure of this pass: record CLIENT METRIC VALUE.
record() {
    [ -n "$3" ] || fail "no $2 in what $1 printed: $(cat "$work/line")"
    echo "$3" >>"$work/$1.$2"
}

# The same for a key of the client's line: record_field CLIENT METRIC KEY.
record_field() {
    record "$1" "$2" "$(field "$3")"
}

# Keeps how this pass's figure of a client stands to another's: record_ratio CLIENT OTHER METRIC NAME.
record_ratio() {
    record "$1" "$4" "$(quotient "$(last "$1" "$3")" "$(last "$2" "$3")")"
}

last() {
    tail -n 1 "$work/$1.$2"
}

quotient() {
    awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'
}

# The median of a client's figure over all passes, or - where it has none.
median() {
    [ -f "$work/$1.$2" ] || {
        echo -
        return
    }
    sort -g "$work/$1.$2" | awk '{ v[NR] = $1 } END { printf "%.10g\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# digits N VALUE: with thousands set apart when N is 0.
digits() {
    case $2 in
    - | '') echo - ;;
    *)
        awk -v digits="$1" -v value="$2" 'BEGIN {
            text = sprintf("%.*f", digits, value)
            while (digits == 0 && match(text, /[0-9][0-9][0-9][0-9](,|$)/))
                text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
            print text
        }'
        ;;
    esac
}

# The median for a table: shown CLIENT METRIC DIGITS.
shown() {
    digits "$3" "$(median "$1" "$2")"
}

# The lowest and the highest of a client's figure: spread CLIENT METRIC DIGITS.
spread() {
    [ -f "$work/$1.$2" ] || {
        echo -
        return
    }
    echo "$(digits "$3" "$(sort -g "$work/$1.$2" | head -n 1)") to $(digits "$3" "$(sort -g "$work/$1.$2" | tail -n 1)")"
}

# A row of a table: row CELL...
row() {
    printf '|'
    printf ' %s |' "$@"
    printf '\n'
}

# header TITLE...
header() {
    row "$@"
    printf '|'
    for title in "$@"; do
        printf ' --- |'
    done
    printf '\n'
}

targets=0
missed=0

# target WHAT MEASURED RELATION LIMIT DIGITS UNIT, where RELATION is >= or <=: judged on the unrounded figure.
target() {
    case $2 in
    - | '') fail "nothing was measured of: $1" ;;
    esac
    verdict=$(awk -v measured="$2" -v relation="$3" -v limit="$4" 'BEGIN {
        print (relation == ">=" ? measured + 0 >= limit + 0 : measured + 0 <= limit + 0) ? "met" : "missed"
    }')
    targets=$((targets + 1))
    [ "$verdict" = met ] || missed=$((missed + 1))
    case $3 in
    '>=') wanted='at least' ;;
    *) wanted='at most' ;;
    esac
    row "$1" "$(digits "$5" "$2")${6:+ $6}" "$wanted $(digits "$5" "$4")${6:+ $6}" "$verdict" >>"$work/verdicts"
    echo "bench: $1: $(digits "$5" "$2")${6:+ $6}, $wanted $(digits "$5" "$4"): $verdict" >&2
}

print_machine() {
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    release=$(erl -noshell -eval 'io:format("~s", [erlang:system_info(otp_release)]), halt().')
    echo "$(date -u '+%Y-%m-%d'), ${model:-unknown processor}, $(nproc) cores, OTP $release, $(uname -s) $(uname -r | cut -d. -f1,2)"
}

print_verdicts() {
    [ $targets -gt 0 ] || return 0
    echo
    header target measured wanted verdict
    cat "$work/verdicts"
    echo
    echo "$((targets - missed)) of $targets targets met"
}
