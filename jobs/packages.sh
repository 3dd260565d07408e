#!/usr/bin/env bash
# The Debian packages Etalon needs, in one place. Sourced by jobs/demo/run.sh and tests/run.sh.
#
#   need_packages NAME...   installs what is missing, as root or through sudo; where neither is possible, prints the one
#                           line that somebody else has to run, and fails.

# Two that other packages need without saying so: ocl-icd-opencl-dev (libdnnl-dev's CMake file looks for OpenCL),
# libprotobuf-dev (protobuf-c.proto of libprotobuf-c-dev imports descriptor.proto).
BUILD_PACKAGES=(gcc cmake ninja-build pkg-config
  libopenmpi-dev openmpi-bin libhdf5-dev libprotobuf-c-dev libprotobuf-dev protobuf-c-compiler libonnx-dev
  liblmdb-dev libleveldb-dev libzip-dev libdnnl-dev ocl-icd-opencl-dev libjpeg62-turbo-dev libpng-dev libstb-dev libyaml-dev libjansson-dev
  libxxhash-dev libssl-dev libcmocka-dev)

need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null; }; then
      echo "Packages are missing; please run: sudo apt-get install -y ${missing[*]}" >&2
      return 1
    fi
    as=(sudo)
  fi
  echo "Installing ${missing[*]}" >&2
  "${as[@]}" apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Open MPI wants to be told that running as root is meant.
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
