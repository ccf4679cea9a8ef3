#!/bin/sh
# The soak of tests/cluster/soak.exs in its long form: half an hour at 2,000 calls/s with faults every minute. The
# status is 0 when it passed.
set -eu
SOAK_SECONDS=${SOAK_SECONDS:-1800} exec sh "$(dirname "$0")/../run.sh" soak
