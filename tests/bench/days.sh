#!/bin/sh
# The part `days` of the tests in its long form: a week in 20 minutes. The status is 0 when it passed.
set -eu
DAYS=${DAYS:-7} DAYS_SECONDS=${DAYS_SECONDS:-1200} exec sh "$(dirname "$0")/../run.sh" days
