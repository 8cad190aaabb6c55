"""Calls of the conformance suite's gRPC echo service from inside a pod.

Reads [{target, method, metadata [[key, value], ...], count}, ...] from standard input and prints a list with one answer
per call, in order: code, details, initial and trailing metadata, and what the echo server tells: fullMethod, headers,
pod, namespace (null when no echo server answered). Calls of one target share a channel.
"""

import json
import sys

import grpc

SERVICE = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"


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
        if key & 7 != 2:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, data[at:at + length]
        at += length


def told(message):
    answer = {"fullMethod": "", "headers": [], "pod": "", "namespace": ""}
    for number, assertions in fields(message):
        if number != 1:
            continue
        for number, value in fields(assertions):
            if number == 1:
                answer["fullMethod"] = value.decode()
            elif number == 2:
                pair = dict(fields(value))
                answer["headers"].append([pair.get(1, b"").decode(), pair.get(2, b"").decode()])
            elif number == 4:
                context = dict(fields(value))
                answer["namespace"], answer["pod"] = context.get(1, b"").decode(), context.get(4, b"").decode()
    return answer


def texts(metadata):
    return [[key, value if isinstance(value, str) else value.hex()] for key, value in metadata or []]


def call(channel, wish):
    future = channel.unary_unary(f"/{SERVICE}/{wish['method']}").future(
        b"", timeout=20, metadata=[tuple(pair) for pair in wish.get("metadata", [])])
    error = future.exception()
    return {
        "code": future.code().name, "details": future.details(), "initial": texts(future.initial_metadata()),
        "trailing": texts(future.trailing_metadata()), "echo": None if error else told(future.result()),
    }


channels = {}
answers = []
for wish in json.load(sys.stdin):
    channel = channels.setdefault(
        wish["target"], grpc.insecure_channel(wish["target"], options=[("grpc.enable_http_proxy", 0)]))
    answers += [call(channel, wish) for _ in range(wish.get("count", 1))]
json.dump(answers, sys.stdout)
