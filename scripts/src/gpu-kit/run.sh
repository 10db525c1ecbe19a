#!/usr/bin/env bash
# Checks this machine's GPU with what lies beside this file, and nothing else: bash is all that it needs.
set -eu
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
here=$(cd -- "$here" && pwd -P)
if [ "${OSTYPE#linux}" = "$OSTYPE" ] || [ "$HOSTTYPE" != x86_64 ]; then
  echo "error: this kit is for Linux on x86_64, not for $OSTYPE on $HOSTTYPE" >&2
  exit 2
fi
# Nothing of a Node that may be installed here.
unset NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS
if ! words=$("$here/bin/node" --version 2>&1); then
  echo "error: the kit's Node does not start: $words" >&2
  echo "hint: it needs glibc 2.28 and libstdc++.so.6, and a folder from which programs may be run" >&2
  exit 2
fi
exec "$here/bin/node" "$here/app/scripts/gpu-kit/kit-main.js" "$@"
