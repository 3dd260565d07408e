#!/usr/bin/env bash
# The Debian packages as a clean machine meets them: complete, by Debian's rules as far as they are checked here, without
# a trace of where they were built; unpacked into a root with what they depend on and nothing else, where the demo is
# calibrated to the bits of the build folder's own program, and again by the batch script.
. "$(dirname "$0")/lib.sh"
[ "$SANITIZED" = 0 ] || skip "a sanitizer build is not packed"
for tool in cpack dpkg-deb dpkg-query dpkg-shlibdeps file readelf; do need_tool $tool; done
build=$(dirname "$ETALON")
cd "$scratch"

cpack --config "$build/CPackConfig.cmake" -B packages >cpack.log 2>&1 || { cat cpack.log >&2; fail "cpack"; }
version=$("$ETALON" --version | cut -d' ' -f2)
program=$(echo packages/etalon_"$version"_*.deb)
library=$(echo packages/libetalon0_"$version"_*.deb)
development=$(echo packages/libetalon-dev_"$version"_*.deb)
for package in "$program" "$library" "$development"; do [ -s "$package" ] || fail "no $package"; done

# ---- what is in them ----

field() { dpkg-deb --field "$1" "$2"; }
for package in "$program" "$library" "$development"; do
  [ "$(field "$package" Version)" = "$version" ] || fail "$package: another version"
  [[ $(field "$package" Maintainer) == *"<"*@*">" ]] || fail "$package: no maintainer"
  field "$package" Description | awk 'length > 80 {exit 1} END {exit NR < 2}' || fail "$package: the description"
  dpkg-deb --contents "$package" >contents
  awk '$2 != "root/root" || $1 !~ /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|l)/' contents >odd
  [ ! -s odd ] || { cat odd >&2; fail "$package: owners and modes"; }
  dpkg-deb --extract "$package" root
  doc=root/usr/share/doc/$(field "$package" Package)
  grep -q 'License: Apache-2.0' "$doc/copyright" || fail "$package: no copyright"
  zcat "$doc/changelog.gz" | head -n 1 | grep -qF "($version)" || fail "$package: the changelog is of another version"
done
[[ $(field "$development" Depends) == "libetalon0 (= $version)" ]] || fail "libetalon-dev: its library"
[[ $(field "$library" Depends) == *liblmdb0* ]] || fail "libetalon0: LMDB"
for needed in libopenmpi3 libdnnl2 libhdf5 libleveldb liblmdb0 libprotobuf-c1 libc6; do
  [[ $(field "$program" Depends) == *$needed* ]] || fail "etalon does not depend on $needed"
done
dpkg-deb --control "$library" control
grep -qx "libetalon 0 libetalon0 (>= $version)" control/shlibs && grep -q ldconfig control/triggers || fail "libetalon0: shlibs, triggers"

usr=root/usr
so=$(find $usr/lib -name "libetalon.so.$version")
for file in $usr/bin/etalon $usr/bin/etalon-demo-images $usr/share/man/man1/{etalon,etalon-demo-images}.1.gz $usr/share/man/man3/etalon_dataset.3.gz \
  $usr/share/bash-completion/completions/etalon $usr/share/doc/etalon/{index,guide,clusters,targets/tnn,verbs/zoo,methods/mse}.md \
  $usr/share/etalon/{demo/{demo,segmentation}.{onnx,yaml},slurm/etalon.sbatch} $usr/include/etalon/dataset.h "$so"; do
  [ -s "$file" ] || fail "$file is not packed"
done
for binary in $usr/bin/* "$so"; do
  readelf -dS "$binary" >elf
  ! grep -qE 'RPATH|RUNPATH|\.debug_info' elf || fail "$binary: a path to libraries, or debugging symbols"
done
! grep -rlF -e "$SOURCE" -e "$(realpath "$SOURCE")" root >traces || { cat traces >&2; fail "the path of the source is in a package"; }
for page in $usr/share/man/man*/*.gz; do
  ! command -v groff >/dev/null || [ -z "$(zcat "$page" | groff -man -ww -z 2>&1)" ] || fail "groff complains about $page"
done
# Links of the manual lead to its own pages, or out of it to where the source would be.
(cd $usr/share/doc/etalon && grep -roE '\]\([^):#]+\.md' . | sed 's/](//' | while IFS=: read -r page link; do
  [ -s "$(dirname "$page")/$link" ] || { echo "$page: $link" >&2; exit 1; }
done) || fail "a link of the installed manual leads nowhere"
if command -v lintian >/dev/null; then
  # The library lies in the architecture's folder only if the build's prefix is /usr; CPack writes its scripts unasked.
  known=pkg-config-unavailable-for-cross-compilation,maintscript-calls-ldconfig
  lintian --allow-root --suppress-tags $known --fail-on error,warning packages/*.deb ||
    fail "lintian"
  echo "ok: lintian"
fi
echo "ok: packages: $(grep -c . <(find root -type f)) files"

# ---- a root with what they depend on ----

# relations PACKAGE-OR-FILE: the names of what it needs to run; of alternatives, all.
relations() {
  { if [ -f "$1" ]; then field "$1" Depends; else dpkg-query -W -f='${Pre-Depends}, ${Depends}\n' "$1" 2>/dev/null; fi; } |
    tr ',|' '\n\n' | sed -E 's/^ *//; s/[ (:].*//' | grep . | sort -u
}
# closure PACKAGE-OR-FILE...: what these are and need, as far as it is installed here.
closure() {
  local -A seen=()
  local todo=("$@") one
  while [ ${#todo[@]} -gt 0 ]; do
    one=${todo[0]} todo=("${todo[@]:1}")
    [ -z "${seen[$one]:-}" ] || continue
    seen[$one]=1
    [ -f "$one" ] || dpkg-query -W -f='${db:Status-Status}\n' "$one" 2>/dev/null | grep -qx installed || continue
    [ -f "$one" ] || echo "$one"
    mapfile -t -O ${#todo[@]} todo < <(relations "$one")
  done
}
# lay PACKAGE...: the files of packages that are installed here go to the root, less what only people read.
lay() {
  dpkg-query -L "$@" | grep '^/' | grep -vE '^/usr/share/(doc|man|locale|info)/' | sort -u |
    while read -r file; do if [ -L "$file" ] || [ -f "$file" ]; then echo "${file#/}"; fi; done >laid
  tar -C / -cf - -T "$PWD/laid" | tar -C root --keep-directory-symlink -xf -
}
for folder in bin sbin lib lib64; do mkdir -p root/usr/$folder && ln -s usr/$folder root/$folder; done
mkdir -p root/{tmp,proc,dev,etc,root}
: >root/dev/null # of this machine's /dev nothing else is wanted
mapfile -t packages < <(closure "$program" bash coreutils) # every Debian machine has these two
lay "${packages[@]}"
echo "ok: a root of ${#packages[@]} packages, $(du -sm root | cut -f1) MB"

# inside COMMAND...: with nothing of this machine but its kernel.
names=(unshare --map-root-user --mount --pid --fork)
if "${names[@]}" true 2>/dev/null && [ -e /dev/null ]; then
  inside() {
    env -i PATH=/usr/bin:/bin HOME=/root ${OMPI_ALLOW_RUN_AS_ROOT:+OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1} \
      "${names[@]}" --mount-proc="$PWD/root/proc" bash -c '
        PATH=$PATH:/sbin:/usr/sbin; mount --bind /dev/null root/dev/null; exec chroot root "$@"' inside "$@"
  }
else
  lack "a root of its own"
fi

# ---- the demo there, and the batch script ----

inside etalon --version | grep -qF "etalon $version" || fail "the program does not start there"
inside bash -c 'cp -r /usr/share/etalon/demo /root && cd /root/demo && etalon-demo-images --out pictures --calibration 100 \
  --evaluation 60 && etalon calibrate -q demo.yaml' >said 2>&1 || { cat said >&2; fail "the demo"; }
"$ETALON" calibrate -q root/root/demo/demo.yaml --set "output=$scratch/here" >/dev/null || fail "the demo with the build's program"
[ "$(bits root/root/demo/out/demo)" = "$(bits here)" ] || fail "the packed program makes other bits"
echo "ok: the demo, in one process without mpirun"

mapfile -t packages < <(closure openmpi-bin) # which the package recommends
[ ${#packages[@]} -gt 0 ] || lack "the package openmpi-bin"
lay "${packages[@]}"
ln -sf mpirun.openmpi root/usr/bin/mpirun # as its installation does
printf '%s\n' 'jobs: [demo.yaml]' 'gates: {accuracy_drop: 3}' 'output: zoo' >root/root/demo/zoo.yaml
# in_batch WORDS...: as Slurm would run it, but for Slurm.
in_batch() {
  inside env SLURM_NTASKS=2 ETALON_LAUNCHER=mpirun OMPI_MCA_rmaps_base_oversubscribe=1 \
    bash -c 'cd /root/demo && bash /usr/share/etalon/slurm/etalon.sbatch "$@"' in_batch "$@" >said 2>&1 || { cat said >&2; fail "$*"; }
}
in_batch calibrate demo.yaml -q --force
[ "$(bits root/root/demo/out/demo)" = "$(bits here)" ] || fail "other bits from etalon.sbatch calibrate"
in_batch zoo zoo.yaml
grep -q '^1 calibrated, 0 unchanged, 0 failed; 0 gates failed' said || { cat said >&2; fail "the zoo"; }
in_batch zoo zoo.yaml
grep -q '^0 calibrated, 1 unchanged' said || { cat said >&2; fail "the second night"; }
echo "ok: etalon.sbatch on two ranks"
