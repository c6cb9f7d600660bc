#!/usr/bin/env bash
# e2e/kubernetes/base.sh ARCHIVE: a file system that compiles Rust, for Dockerfile's RUST_IMAGE where no image can be
# pulled: Debian by debootstrap, and this machine's toolchain. Kept in the cache, by the toolchain's version.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gregor
kept=$cache/rust-base-$(rustc --version | cut -d' ' -f2).tar
if [ ! -e "$kept" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    # What this machine's own packages come from.
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk -v name="$(. /etc/os-release && echo "$VERSION_CODENAME")" '$2 == name { print $1; exit }')
    debootstrap --variant=minbase --include=gcc,libc6-dev \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/tree" "$mirror" >"$work/log" 2>&1 ||
        { tail -20 "$work/log" >&2; exit 1; }
    rm -rf "$work"/tree/var/cache/apt/* "$work"/tree/var/lib/apt/lists/*
    toolchain=$(rustc --print sysroot)
    mkdir -p "$work/tree/usr/local/bin" "$work/tree/usr/local/lib"
    cp -a "$toolchain/bin/cargo" "$toolchain/bin/rustc" "$work/tree/usr/local/bin/"
    cp -a "$toolchain/lib/." "$work/tree/usr/local/lib/"
    # Devices are the builder's.
    tar -C "$work/tree" --exclude=./dev/'*' -cf "$work/tree.tar" .
    mv "$work/tree.tar" "$kept"
fi
ln -f "$kept" "$1" 2>/dev/null || cp "$kept" "$1"
