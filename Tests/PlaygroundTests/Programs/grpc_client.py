"""Unary calls by grpcio to the conformance suite's gRPC echo service, all over one channel.

  grpc_client.py PORT

Reads [{path, metadata [[key, value], ...], size (bytes of the message), compression (bool), timeout}, ...] from standard
input and prints a list with one answer per call: code, details, initial and trailing metadata, length of the message, and
what it says: method, headers, authority, context [namespace, ingress, service, pod].
"""

import json
import sys

import grpc


def fields(data):
    """The length-delimited fields of a protobuf message, as (number, bytes)."""
    at = 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(data):
        key, length = number(), number()
        if key & 7 != 2 or at + length > len(data):
            raise ValueError(f"key {key}, length {length}")
        yield key >> 3, data[at:at + length]
        at += length


def told(message):
    answer = {"method": "", "headers": [], "authority": "", "context": ["", "", "", ""]}
    for number, value in fields(dict(fields(message))[1]):
        if number == 1:
            answer["method"] = value.decode()
        elif number == 2:
            pair = dict(fields(value))
            answer["headers"].append([pair.get(1, b"").decode(), pair.get(2, b"").decode()])
        elif number == 3:
            answer["authority"] = value.decode()
        elif number == 4:
            context = dict(fields(value))
            answer["context"] = [context.get(number, b"").decode() for number in (1, 2, 3, 4)]
    return answer


def message(size):
    """An EchoRequest of `size` bytes, or a few more, in a field that it does not know."""
    if size == 0:
        return b""
    length, rest = b"", size
    while rest > 127:
        length += bytes([rest & 127 | 128])
        rest >>= 7
    return bytes([15 << 3 | 2]) + length + bytes([rest]) + b"x" * size


def pairs(metadata):
    return [[key, value if isinstance(value, str) else value.hex()] for key, value in metadata or []]


unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}", options=unlimited)
answers = []
for wish in json.load(sys.stdin):
    future = channel.unary_unary(wish["path"]).future(
        message(wish.get("size", 0)), timeout=wish.get("timeout", 20),
        metadata=[(key, value.encode() if key.endswith("-bin") else value) for key, value in wish.get("metadata", [])],
        compression=grpc.Compression.Gzip if wish.get("compression") else None)
    failed = future.exception()
    answers.append({
        "code": future.code().name, "details": future.details(), "initial": pairs(future.initial_metadata()),
        "trailing": pairs(future.trailing_metadata()), "length": 0 if failed else len(future.result()),
        "echo": None if failed else told(future.result()),
    })
json.dump(answers, sys.stdout)
