"""Several processes for one line: which process has a call, how they communicate, who starts them.

    one machine       file locks and Unix sockets in the data folder: `claims`, `peers`,
                      `socket_transfer`, `worker_sockets`, and the parent process
    several machines  the `port` of the shared store, with two adapters (`memory`, `redis_store`);
                      `leases`, `journal_shipping` and `node_requests` are built on it

Nothing here knows telephony. What is for one machine is Unix only: Windows has neither the sockets
nor the locks, so it serves with one process.
"""
