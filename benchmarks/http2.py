"""Gain and cost of HTTP/2: carriers over TLS with one local server that speaks both versions. Run by hand:

    python -m benchmarks.http2
    python -m benchmarks.http2 --rounds 1

The script needs the extra `http2` and the group `test`. Server and client are two processes, each on its own core
where the system allows. Rounds of all carriers are interleaved, and the median of each is printed: process CPU in
microseconds for one call, and milliseconds until the last answer. No figure passes or fails.
"""

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import ssl
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from benchmarks.overhead import cpu_seconds
from benchmarks.processes import cores, pinned
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.configuration.settings import CarrierName
from faultmaven.infrastructure.http.network import NetworkSettings
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import Headers, Origin, WireRequest

ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "' + b"x" * 600 + b'"}}]}'
REQUEST_BODY = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"x" * 400 + b'"}]}'
CARRIERS: dict[str, tuple[CarrierName, bool]] = {
    "aiohttp, HTTP/1.1": ("aiohttp", False),
    "httpx2, HTTP/1.1": ("httpx2", False),
    "httpx2, HTTP/2": ("httpx2", True),
}
# The number of workers, the calls of each, and whether connections are open before the measurement.
WORKLOADS = {
    "one call at a time": (1, 200, True),
    "100 at once, connections open": (100, 10, True),
    "100 at once, nothing open yet": (100, 1, False),
    "10 at once, nothing open yet": (10, 1, False),
}


async def serve_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every HTTP/2 stream of a connection."""
    state = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    state.initiate_connection()
    writer.write(state.data_to_send())
    while data := await reader.read(65536):
        for event in state.receive_data(data):
            if isinstance(event, DataReceived) and event.stream_id is not None:
                state.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            elif isinstance(event, StreamEnded) and event.stream_id is not None:
                state.send_headers(event.stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
                state.send_data(event.stream_id, ANSWER, end_stream=True)
        writer.write(state.data_to_send())


async def serve_http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the HTTP/1.1 requests of a connection in order."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
    while True:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(REQUEST_BODY))
        writer.write(head + ANSWER)


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a connection in the HTTP version that the TLS handshake selected."""
    protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await (serve_http2 if protocol == "h2" else serve_http1)(reader, writer)
    writer.close()


def serve(certificates: str, port_sender: Connection) -> None:
    """Serve until the process is terminated; send the port to `port_sender`."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(certificates)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def run() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, backlog=1000)
        port_sender.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def measure(workload: str, carrier: CarrierName, network: NetworkSettings, url: str) -> tuple[float, float]:
    """Return CPU microseconds for one call, and milliseconds until the last answer."""
    workers, calls, is_warm = WORKLOADS[workload]
    transport = HTTPTransport(SystemClock(), network=network, carrier=carrier)
    headers = Headers({"authorization": "Bearer " + "k" * 40, "content-type": "application/json"})
    sent = WireRequest(Origin("openai", "openai-chat"), url, headers, REQUEST_BODY)

    async def call(times: int) -> None:
        for _ in range(times):
            reply = await transport.send(sent, 60)
            assert reply.body == ANSWER, reply

    if is_warm:
        await asyncio.gather(*(call(2) for _ in range(workers)))
    _ = transport._certificates.context  # loaded once per process, so not part of the measurement
    gc.collect()
    started, used = time.perf_counter(), cpu_seconds()
    await asyncio.gather(*(call(calls) for _ in range(workers)))
    result = (cpu_seconds() - used) / (workers * calls) * 1e6, (time.perf_counter() - started) * 1e3
    await transport.aclose()
    return result


def compare(workload: str, certificates: str, url: str, rounds: int) -> None:
    """Print a line for each carrier."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in CARRIERS}
    for _ in range(rounds):
        for name, (carrier, http2) in CARRIERS.items():
            network = NetworkSettings(certificates, http2=http2)
            results[name].append(asyncio.run(measure(workload, carrier, network, url)))
    print(workload)
    for name, figures in results.items():
        cpu, wall = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"  {name:20}{cpu:8.0f} us CPU a call{wall:10.1f} ms until the last answer", flush=True)


def main() -> None:
    """Start the server and measure."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        certificates = str(Path(folder) / "authority.pem")
        port_receiver, port_sender = context.Pipe(duplex=False)
        server = context.Process(target=serve, args=(certificates, port_sender), daemon=True)
        servers, clients = cores()
        with pinned(servers):
            server.start()
        url = f"https://localhost:{port_receiver.recv()}/v1/chat/completions"
        with pinned(clients):
            for workload in WORKLOADS:
                compare(workload, certificates, url, rounds)
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
