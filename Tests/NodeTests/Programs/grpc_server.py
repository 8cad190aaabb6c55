"""A gRPC server without generated code: the methods of weir.test.Peer take messages as bytes and give them so.

  grpc_server.py PORT

Every call's initial metadata has `pod`. A request's metadata whose key begins with `initial-` or `trailing-` comes back
in the initial or the trailing metadata, under the same key.

  Echo      unary: the message
  Collect   client streaming: JSON with the count, the bytes and the SHA-256 of the messages
  Stream    server streaming: the message is JSON {count, size, [pause]}: so many messages, each its number and a filling
  Chat      bidirectional streaming: each message at once
  Sleep     unary: the message is JSON {seconds}: answers `slept`
  Fail      unary: the message is JSON {code, details}: that status
  FailLate  server streaming: the same after three messages
  Calls     unary: JSON: how each call with metadata `call-id` ended, by its id: {ended, remaining, seconds}
"""

import hashlib
import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "weir.test.Peer"
CODES = {code.value[0]: code for code in grpc.StatusCode}
calls = {}


def begin(context):
    """Answers the metadata, and notes the end of a call that has an id. Returns an event that is set at the end."""
    began = time.monotonic()
    over = threading.Event()
    metadata = context.invocation_metadata()
    initial = [("pod", os.environ.get("POD_NAME", ""))]
    initial += [(key, value) for key, value in metadata if key.startswith("initial-")]
    context.send_initial_metadata(initial)
    context.set_trailing_metadata([(key, value) for key, value in metadata if key.startswith("trailing-")])
    call = next((value for key, value in metadata if key == "call-id"), None)
    if call:
        calls[call] = {"ended": False, "remaining": context.time_remaining()}

    def ended():
        if call:
            calls[call]["seconds"] = time.monotonic() - began
            calls[call]["ended"] = True
        over.set()

    if not context.add_callback(ended):
        ended()
    return over


def echo(message, context):
    begin(context)
    return message


def collect(messages, context):
    begin(context)
    digest, count, size = hashlib.sha256(), 0, 0
    for message in messages:
        digest.update(message)
        count += 1
        size += len(message)
    return json.dumps({"count": count, "bytes": size, "sha256": digest.hexdigest()}).encode()


def stream(message, context):
    over = begin(context)
    wish = json.loads(message)
    filling = bytes(max(0, wish["size"] - 4))
    for number in range(wish["count"]):
        if over.is_set():
            return
        yield number.to_bytes(4, "big") + filling
        if wish.get("pause"):
            over.wait(wish["pause"])


def chat(messages, context):
    begin(context)
    yield from messages


def sleep(message, context):
    begin(context).wait(json.loads(message)["seconds"])
    return b"slept"


def fail(message, context):
    begin(context)
    wish = json.loads(message)
    context.abort(CODES[wish["code"]], wish["details"])


def fail_late(message, context):
    begin(context)
    yield from (b"0", b"1", b"2")
    wish = json.loads(message)
    context.abort(CODES[wish["code"]], wish["details"])


def tell(message, context):
    begin(context)
    return json.dumps(calls).encode()


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=128),
    options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Stream": grpc.unary_stream_rpc_method_handler(stream),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Calls": grpc.unary_unary_rpc_method_handler(tell),
})])
if server.add_insecure_port(f"[::]:{sys.argv[1]}") == 0:
    sys.exit(f"cannot listen on port {sys.argv[1]}")
server.start()
server.wait_for_termination()
