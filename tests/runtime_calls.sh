#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The runtime of `onelevel run` must make its system calls from its own text: from the C library's they would be trapped,
# inside the handler of a trap. So of the C library it may use only functions that make none, or only before the filter.
# usage: runtime_calls.sh LIBRARY
set -eu
allowed='io_uring_[a-z_]* __io_uring_get_cqe LZ4_[A-Za-z_]* ZSTD_[A-Za-z0-9_]* crypto_aead_[a-z0-9_]* sodium_init sodium_memzero strerrordesc_np environ __environ bcmp mem[a-z]* str[a-z]* __errno_location clock_gettime sig[a-z]*set sigismember __curbrk __assert_fail
    __stack_chk_fail __cxa_finalize pthread_attr_[a-z]* pthread_setattr_default_np __gmon_start__ _ITM_[A-Za-z]* getenv setenv unsetenv sysconf dl_iterate_phdr __rseq_offset'
pattern=$(printf '%s|' $allowed | sed 's/|$//')
others=$(nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -Ev "^($pattern)$" || true)
[ -z "$others" ] || { echo "$1 calls what may be trapped: $others"; exit 1; }
