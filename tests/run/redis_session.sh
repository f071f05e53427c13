#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the clients of a redis-server do, from the moment it answers to its end. Prints only what is the same each time.
# usage: redis_session.sh SOCKET
set -eu

ask()
{
    redis-cli -s "$socket" "$@"
}

saved()
{
    while ask info persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.02; done
    ask info persistence | grep rdb_last_bgsave_status
}

socket=$1
tries=0
until [ "$(ask ping 2>/dev/null)" = PONG ]; do
    tries=$((tries + 1))
    [ $tries -lt 400 ] || exit 1
    sleep 0.05
done
ask flushall # what an earlier server left was loaded
ask debug populate 9000 key 600
ask debug digest
# So many requests that each of so few random keys is written: the same data at the end, whatever the order.
redis-benchmark -s "$socket" -q -P 8 -d 40 -n 6000 -r 300 -t set,get,lpush,hset >/dev/null &
sleep 0.2
ask bgsave # a fork while the benchmark writes
saved
wait $!
ask debug digest
ask bgsave # and one while it reads: this is what is looked at afterwards
redis-benchmark -s "$socket" -q -P 8 -d 40 -n 3000 -r 300 -t get >/dev/null
saved
ask debug digest
ask dbsize
ask shutdown nosave
