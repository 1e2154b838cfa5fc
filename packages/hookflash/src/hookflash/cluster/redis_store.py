"""The cluster store on a Redis or Valkey server (7 or later).

    hookflash:LINE:{CALL}:owner     "NUMBER:NODE", expires when the lease lapses
    hookflash:LINE:{CALL}:fence     the number of the newest lease
    hookflash:LINE:{CALL}:journal   a stream; each entry is a batch of the journal
    hookflash:LINE:{CALL}:size      the journal's length in bytes
    hookflash:LINE:{nodes}:until    sorted set: node -> when it stops counting as up
    hookflash:LINE:{nodes}:info     hash: node -> its entry
    hookflash:LINE:{used:TOKEN}     a token that was used

LINE is a digest of the public URL: lines may share a server. The braces hold what a cluster of
Redis servers shards by, so that all keys of a call are on one server. What compares and sets is a
Lua script, which Redis runs at once or not at all. Times are those of the Redis server.

redis-py is imported when a store is made, because most lines need none.

    resource           acquired                 released
    connections        the first requests       close()
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from hookflash.cluster.port import (
    JOURNAL_BYTES,
    JOURNAL_SECONDS,
    Append,
    Appended,
    Lease,
    Node,
    StoreDown,
)
from hookflash.errors import ConfigError

TIMEOUT_SECONDS = 0.5
"""How long a request may take. A caller may wait for one when a call arrives."""

CONNECTIONS = 16
FENCE_SECONDS = 24 * 3600.0
_PAGE = 500
_BATCH = 100
"""How many scripts are sent at once, so that the event loop is not held up."""

_RENEW = """
local function renew(owner_key, fence_key, lease, number, lease_ms, fence_ms)
  local owner = redis.call('GET', owner_key)
  if owner ~= lease then
    if owner then return false end
    local fence = redis.call('GET', fence_key)
    if fence and fence ~= number then return false end
    redis.call('SET', fence_key, number, 'PX', fence_ms)
    if not fence then
      redis.call('SET', owner_key, lease, 'PX', lease_ms)
      return 2
    end
  end
  redis.call('SET', owner_key, lease, 'PX', lease_ms)
  return 1
end
"""

_NEW_LEASE = """
local function new_lease(owner_key, fence_key, node, lease_ms, fence_ms)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local fence = tonumber(redis.call('GET', fence_key) or '0')
  local number = string.format('%.0f', math.max(fence + 1, now))
  redis.call('SET', fence_key, number, 'PX', fence_ms)
  redis.call('SET', owner_key, number .. ':' .. node, 'PX', lease_ms)
  return number .. ':' .. node
end
"""


class _Script:
    """A Lua script, called by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode()).hexdigest()


# KEYS: owner, fence; ARGV: node, lease ms, fence ms
_ACQUIRE = _Script(
    _NEW_LEASE
    + """
local owner = redis.call('GET', KEYS[1])
if not owner then return new_lease(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]) end
if string.match(owner, '^%d+:(.*)$') == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return owner
"""
)

# KEYS: owner, fence; ARGV: lease, number, lease ms, fence ms
_PROLONG = _Script(
    _RENEW
    + """
return renew(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) or 0
"""
)

# KEYS: owner, fence; ARGV: lease, node, lease ms, fence ms
_PASS_ON = _Script(
    _NEW_LEASE
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
return new_lease(KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4])
"""
)

# KEYS: owner; ARGV: lease
_RELEASE = _Script(
    """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
"""
)

# KEYS: owner, fence, journal, size
# ARGV: lease, number, lease ms, fence ms, offset (-1: replace), data, journal ms, most bytes
_APPEND = _Script(
    _RENEW
    + """
if not renew(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return {'fenced', 0} end
local size = tonumber(redis.call('GET', KEYS[4]) or '0')
if tonumber(ARGV[5]) < 0 then
  redis.call('DEL', KEYS[3])
  size = 0
elseif size ~= tonumber(ARGV[5]) then
  return {'gap', size}
end
if size + #ARGV[6] > tonumber(ARGV[8]) then return {'full', size} end
size = size + #ARGV[6]
redis.call('XADD', KEYS[3], '*', 'd', ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
redis.call('SET', KEYS[4], string.format('%.0f', size), 'PX', ARGV[7])
return {'done', size}
"""
)

# KEYS: owner, journal, size; ARGV: lease, journal ms
_RETIRE = _Script(
    """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
end
return 0
"""
)

# KEYS: until, info; ARGV: node, entry, ms
_ANNOUNCE = _Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
return 0
"""
)

# KEYS: until, info
_NODES = _Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[1], now + 1, '+inf')
if #names == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(names))
"""
)

Call = tuple[_Script, list[str], list[Any]]


class RedisStore:
    """The store as node `name` uses it: a `port.ClusterStore`.

    `url` is redis://, rediss:// (TLS), redis+sentinel:// or rediss+sentinel://; the last two name
    the sentinels and the service: `redis+sentinel://:password@a:26379,b:26379/mymaster/0`.
    `line` distinguishes lines on the same server. Raises `ConfigError`.
    """

    def __init__(self, url: str, name: str, *, line: str = "") -> None:
        self._name = name
        self._prefix = f"hookflash:{hashlib.sha256(line.encode()).hexdigest()[:8]}:"
        try:
            import redis.asyncio as client
            from redis.exceptions import NoScriptError, RedisError
        except ImportError:
            raise ConfigError(
                "HOOKFLASH_CLUSTER_URL needs redis-py: pip install 'redis>=6'"
            ) from None
        self._no_script = NoScriptError
        self._errors = (RedisError, OSError, TimeoutError)
        try:
            self._redis, self._clients = _connect(client, url)
        except (ValueError, RedisError) as error:
            raise ConfigError(f"HOOKFLASH_CLUSTER_URL: {error}") from None

    # --- ownership ----------------------------------------------------------------------------

    async def acquire(self, call_sid: str, *, seconds: float) -> Lease:
        keys = self._keys(call_sid, "owner", "fence")
        arguments = [self._name, _ms(seconds), _ms(FENCE_SECONDS)]
        return _lease(call_sid, await self._run(_ACQUIRE, keys, arguments))

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Sequence[int]:
        calls: list[Call] = [
            (
                _PROLONG,
                self._keys(lease.call_sid, "owner", "fence"),
                [_text(lease), lease.number, _ms(seconds), _ms(FENCE_SECONDS)],
            )
            for lease in leases
        ]
        return [int(held) for held in await self._run_all(calls)]

    async def owner(self, call_sid: str) -> Lease | None:
        with self._time_limit():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self._redis.get(*self._keys(call_sid, "owner"))
        return _lease(call_sid, found) if found else None

    async def pass_on(self, lease: Lease, node: str, *, seconds: float) -> Lease | None:
        keys = self._keys(lease.call_sid, "owner", "fence")
        arguments = [_text(lease), node, _ms(seconds), _ms(FENCE_SECONDS)]
        found = await self._run(_PASS_ON, keys, arguments)
        return _lease(lease.call_sid, found) if found else None

    async def release(self, lease: Lease) -> None:
        await self._run(_RELEASE, self._keys(lease.call_sid, "owner"), [_text(lease)])

    # --- journals -----------------------------------------------------------------------------

    async def append(self, appends: Sequence[Append], *, seconds: float) -> Sequence[Appended]:
        answers = await self._run_all(
            [self._append(each.lease, each.offset, each.data, seconds) for each in appends]
        )
        return [_appended(answer) for answer in answers]

    async def replace(self, lease: Lease, data: bytes, *, seconds: float) -> Appended:
        script, keys, arguments = self._append(lease, -1, data, seconds)
        return _appended(await self._run(script, keys, arguments))

    async def journal(self, call_sid: str) -> bytes:
        parts: list[bytes] = []
        start: bytes | str = "-"
        key = self._keys(call_sid, "journal")[0]
        while True:
            with self._time_limit():
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    entries = await self._redis.xrange(key, start, "+", count=_PAGE)
            parts += [fields[b"d"] for _, fields in entries]
            if len(entries) < _PAGE:
                return b"".join(parts)
            start = b"(" + entries[-1][0]

    async def retire(self, lease: Lease, *, seconds: float) -> None:
        keys = self._keys(lease.call_sid, "owner", "journal", "size")
        await self._run(_RETIRE, keys, [_text(lease), _ms(seconds)])

    async def forget(self, call_sid: str) -> None:
        with self._time_limit():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._redis.delete(*self._keys(call_sid, "owner", "journal", "size"))

    # --- nodes and tokens -------------------------------------------------------------------

    async def announce(self, node: Node, *, seconds: float) -> None:
        arguments = [node.name, msgspec.json.encode(node), _ms(seconds)]
        await self._run(_ANNOUNCE, self._node_keys(), arguments)

    async def leave(self) -> None:
        until, info = self._node_keys()
        with self._time_limit():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._redis.zrem(until, self._name)
                await self._redis.hdel(info, self._name)

    async def nodes(self) -> Sequence[Node]:
        found = await self._run(_NODES, self._node_keys(), [])
        decoded = [_node(entry) for entry in found if entry]
        return sorted((node for node in decoded if node), key=lambda node: node.name)

    async def use_once(self, token: str, *, seconds: float) -> bool:
        key = f"{self._prefix}{{used:{token}}}"
        with self._time_limit():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return bool(await self._redis.set(key, 1, nx=True, px=_ms(seconds)))

    async def close(self) -> None:
        for client in self._clients:
            with contextlib.suppress(*self._errors):
                await client.aclose()

    # --- requests -----------------------------------------------------------------------------

    def _append(self, lease: Lease, offset: int, data: bytes, seconds: float) -> Call:
        keys = self._keys(lease.call_sid, "owner", "fence", "journal", "size")
        arguments = [_text(lease), lease.number, _ms(seconds), _ms(FENCE_SECONDS), offset, data]
        return _APPEND, keys, [*arguments, _ms(JOURNAL_SECONDS), JOURNAL_BYTES]

    async def _run(self, script: _Script, keys: list[str], arguments: list[Any]) -> Any:
        return (await self._run_all([(script, keys, arguments)]))[0]

    async def _run_all(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts, several in one request. Return their answers."""
        answers: list[Any] = []
        for start in range(0, len(calls), _BATCH):
            answers += await self._run_batch(calls[start : start + _BATCH])
        return answers

    async def _run_batch(self, calls: Sequence[Call]) -> list[Any]:
        with self._time_limit():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answers = await self._send(calls, by_digest=True)
                # A server that was started again does not know the scripts.
                again = [n for n, each in enumerate(answers) if isinstance(each, self._no_script)]
                if again:
                    sent = await self._send([calls[n] for n in again], by_digest=False)
                    for n, answer in zip(again, sent, strict=True):
                        answers[n] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise StoreDown(f"Redis refused a request: {answer}") from answer
        return answers

    async def _send(self, calls: Sequence[Call], *, by_digest: bool) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for script, keys, arguments in calls:
                if by_digest:
                    pipe.evalsha(script.sha, len(keys), *keys, *arguments)
                else:
                    pipe.eval(script.text, len(keys), *keys, *arguments)
            return list(await pipe.execute(raise_on_error=False))

    @contextlib.contextmanager
    def _time_limit(self) -> Iterator[None]:
        """Raise `StoreDown` in place of what the client raises."""
        try:
            yield
        except self._errors as error:
            reason = str(error) or f"no answer in {TIMEOUT_SECONDS:g} s"
            raise StoreDown(f"Redis: {reason}") from error

    def _keys(self, call_sid: str, *names: str) -> list[str]:
        return [f"{self._prefix}{{{call_sid}}}:{name}" for name in names]

    def _node_keys(self) -> list[str]:
        return [f"{self._prefix}{{nodes}}:until", f"{self._prefix}{{nodes}}:info"]


def _connect(client: Any, url: str) -> tuple[Any, list[Any]]:
    """Return a client for `url`, and all clients to close.

    Raises `ValueError` for a URL that redis-py cannot read.
    """
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options: dict[str, Any] = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "max_connections": CONNECTIONS,
        # Once: a connection of the pool may have been closed by a server that was started again.
        "retry": Retry(NoBackoff(), 1),
    }
    found = re.fullmatch(r"(rediss?)\+sentinel://(?:([^@/]*)@)?([^/?]+)/([\w.-]+)(?:/(\d+))?", url)
    if found is not None:
        from redis.asyncio.sentinel import Sentinel

        scheme, user_info, hosts, service, database = found.groups()
        user, _, password = (user_info or "").partition(":")
        shared: dict[str, Any] = {"ssl": scheme == "rediss"}
        if password:
            shared |= {"password": unquote(password)} | (
                {"username": unquote(user)} if user else {}
            )
        sentinels = [_sentinel(host) for host in hosts.split(",")]
        limits = options | {"retry": Retry(NoBackoff(), 0)}
        sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]  # as redis-py has it
            sentinels, sentinel_kwargs=shared | limits, **shared, **options
        )
        made = sentinel.master_for(service, db=int(database or 0))
        return made, [made, *sentinel.sentinels]
    pool = client.BlockingConnectionPool.from_url(url, timeout=TIMEOUT_SECONDS, **options)
    made = client.Redis.from_pool(pool)
    return made, [made]


def _sentinel(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or "", parts.port or 26379


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _text(lease: Lease) -> str:
    return f"{lease.number}:{lease.node}"


def _lease(call_sid: str, text: bytes) -> Lease:
    number, _, node = text.decode().partition(":")
    return Lease(call_sid, node, int(number))


def _appended(answer: list[Any]) -> Appended:
    return Appended(answer[0].decode(), int(answer[1]))


def _node(entry: bytes) -> Node | None:
    """Return a node's entry, or None if a node of another version wrote one of another form."""
    try:
        return msgspec.json.decode(entry, type=Node)
    except msgspec.DecodeError:
        return None
