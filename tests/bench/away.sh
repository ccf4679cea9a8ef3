#!/bin/sh
# The tests of tests/cluster/away_test.exs with an epmd and peers that are away for a minute instead of two seconds.
set -eu
AWAY_SECONDS=${AWAY_SECONDS:-60} exec sh "$(dirname "$0")/../run.sh" cluster away_test.exs
