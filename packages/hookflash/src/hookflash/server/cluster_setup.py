"""Make this process a node of a cluster, from settings.

the store, leases and journals   `open_cluster`, before there are calls
the node itself                  `open_node`, when there is a switchboard

resource            acquired         released
the store           open_cluster     when its block ends, after the calls
leases, journals    open_cluster     when its block ends, after the calls
the nodes' port     open_node        when its block ends
the node            open_node        when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from hookflash.carriers.twilio.notes_stream import Attach as NotesAttach
from hookflash.cluster.journal_shipping import JournalShipper
from hookflash.cluster.leases import Leases
from hookflash.cluster.node_requests import NodeClient, NodeSignature
from hookflash.cluster.port import ClusterStore, Node
from hookflash.console.calls import Listen
from hookflash.console.live_calls import LiveCalls
from hookflash.errors import ConfigError
from hookflash.runtime.journal import Journals
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.carrier_answers import LocalAnswerer
from hookflash.server.metrics import Metrics
from hookflash.server.node_server import node_app, serve_node
from hookflash.server.node_sockets import listen_on_any, node_sockets
from hookflash.server.nodes import Nodes
from hookflash.server.open_port import listen
from hookflash.server.twilio_line import TwilioLine
from hookflash.settings import Settings
from hookflash.world import World

log = logging.getLogger("hookflash.cluster")

_FLUSH_SECONDS = 2.0
_NAME_CHARACTERS = 40


@dataclass(frozen=True)
class ClusterPorts:
    """What a simulation puts in place of Redis and this machine's ports.

    `make_store` makes the store of a node by the node's name. `listen` opens a port.
    """

    make_store: Callable[[str], ClusterStore]
    listen: Callable[[str, int], AbstractContextManager[socket.socket]] = listen


@dataclass
class Cluster:
    """What a node shares with the others. `nodes` is set by `open_node`."""

    name: str
    store: ClusterStore
    leases: Leases
    shipper: JournalShipper
    nodes: Nodes | None = None

    async def cut_off(self) -> bool:
        return self.nodes is not None and await self.nodes.cut_off()

    def lost(self, call_sid: str) -> None:
        if self.nodes is not None:
            self.nodes.lost(call_sid)


def node_name(slot: int, world: World) -> str:
    """Return a name for this process that no other process has or had."""
    mark = world.entropy("node-names").randbytes(4).hex()
    return f"{socket.gethostname()[:_NAME_CHARACTERS]}-{slot}-{mark}"


@contextlib.asynccontextmanager
async def open_cluster(
    settings: Settings,
    journals: Journals,
    *,
    slot: int,
    world: World,
    ports: ClusterPorts | None = None,
) -> AsyncIterator[Cluster | None]:
    """Open the shared store while the block runs. Yields None if the settings name no cluster.

    `ports` replaces the store that the settings name, and this machine's ports.
    """
    if settings.cluster.url is None and ports is None:
        yield None
        return
    if settings.storage.database_url.startswith("sqlite"):
        log.warning(
            "! the records of calls are in SQLite on this machine, where other machines do not see"
            " them: set HOOKFLASH_DATABASE_URL to a PostgreSQL database"
        )
    if settings.storage.files_url is None and ports is None:
        log.warning(
            "! recordings and journals of ended calls can be played, exported and deleted only on"
            " the machine that had the call: set HOOKFLASH_FILES_URL to a store that every machine"
            " reaches. If one machine serves this line, ignore this"
        )
    name = node_name(slot, world)
    store = ports.make_store(name) if ports is not None else _redis_store(settings, name)
    leases = Leases(
        store,
        name,
        now=world.monotonic,
        cut_off=lambda: cluster.cut_off(),
        on_lost=lambda call_sid: cluster.lost(call_sid),
    )
    shipper = JournalShipper(store, leases, read=journals.read)
    leases.on_forgotten = shipper.send_again
    journals.copy = shipper.add
    cluster = Cluster(name, store, leases, shipper)
    try:
        async with leases.renewing():
            async with shipper.shipping():
                yield cluster
            # The calls are closed: what they have written last is sent before others may go on.
            await shipper.flush_all(seconds=_FLUSH_SECONDS)
            await leases.release_all()
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def open_node(
    settings: Settings,
    cluster: Cluster,
    *,
    slot: int,
    telephone: TwilioLine,
    switchboard: Switchboard,
    journals: Journals,
    metrics: Metrics,
    live_calls: LiveCalls | None,
    attach_notes: NotesAttach,
    listen_here: Listen,
    world: World,
    ports: ClusterPorts | None = None,
) -> AsyncIterator[Nodes]:
    """Take part in the cluster while the block runs. Raises `ConfigError`."""
    signature = NodeSignature(settings.cluster.secret or "", world.wall)
    host = settings.cluster.node_host
    if host is None:
        host = await asyncio.to_thread(_own_address, settings.cluster.url or "")
    listening = ports.listen if ports is not None else listen
    with listening(host, settings.cluster.node_port) as listener:
        port = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        node = Node(
            name=cluster.name,
            address=f"http://{shown}:{port}",
            host=socket.gethostname(),
            slot=slot,
        )
        nodes = cluster.nodes = Nodes(
            node,
            cluster.store,
            leases=cluster.leases,
            shipper=cluster.shipper,
            client=NodeClient(signature),
            signature=signature,
            tokens=telephone.tokens,
            local_answerer=LocalAnswerer(switchboard, telephone),
            switchboard=switchboard,
            journals=journals,
            counts=metrics.counts,
            now=world.monotonic,
            live_calls=live_calls,
        )
        switchboard.on_released = nodes.released
        switchboard.hand_over_all = nodes.hand_over_all
        sockets = node_sockets(
            signature,
            redeem=nodes.redeem_relayed,
            attach=switchboard.attach,
            attach_notes=attach_notes,
            listen=listen_here,
        )
        app = node_app(signature, nodes.asked, routes=[*sockets])
        async with serve_node(app, listener), nodes.open():
            log.info("node %s is reached by the others at %s", node.name, node.address)
            yield nodes


def listen_on(nodes: Nodes, listen_here: Listen) -> Listen:
    """Return the function that plays a call of any node on a console's socket."""
    return listen_on_any(listen_here, nodes.has, nodes.address_of, nodes.signature)


def warn_of_machines(settings: Settings) -> None:
    """Log what several machines cannot do without a cluster, if they could share this database."""
    if settings.cluster.url is None and settings.storage.database_url.startswith("postgres"):
        log.warning(
            "! HOOKFLASH_DATABASE_URL is set and HOOKFLASH_CLUSTER_URL is not: processes can serve"
            " this line together only if they share the data folder %s. Another machine does not"
            " find the calls of this one: their webhooks begin new calls there. Its console shows"
            " its own calls only, and a session of this console is invalid there. If one machine"
            " serves this line, ignore this",
            settings.storage.data_dir,
        )


def _redis_store(settings: Settings, name: str) -> ClusterStore:
    # redis-py takes a fifth of a second to import, and one machine does not need it.
    from hookflash.cluster.redis_store import RedisStore

    return RedisStore(settings.cluster.url or "", name, line=settings.server.public_url or "")


def _own_address(url: str) -> str:
    """Return the address from which this machine reaches the server of `url`.

    Raises `ConfigError`.
    """
    host = urlsplit(url.replace("+sentinel", "", 1).split(",")[0]).hostname or ""
    try:
        found = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        # Connecting a datagram socket sends nothing; it only chooses the address.
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ConfigError(
            f"HOOKFLASH_NODE_HOST: the address of this machine is not known, because {host!r} of"
            f" HOOKFLASH_CLUSTER_URL is not found ({error.strerror}); set it"
        ) from None
