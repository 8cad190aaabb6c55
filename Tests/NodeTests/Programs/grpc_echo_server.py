"""The upstream conformance suite's gRPC echo service, gateway_api_conformance.echo_basic.grpcecho.GrpcEcho.

  grpc_echo_server.py PORT

Echo and EchoTwo answer an EchoResponse that tells what came; EchoThree is not implemented.
"""

import os
import sys
from concurrent import futures

import grpc

SERVICE = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"


def field(number, value):
    """A length-delimited protobuf field."""
    data = value.encode() if isinstance(value, str) else value
    length, size = b"", len(data)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def echo(method):
    def answer(message, context):
        headers = b"".join(
            field(2, field(1, key) + field(2, value)) for key, value in context.invocation_metadata())
        pod = field(1, os.environ.get("POD_NAMESPACE", "")) + field(4, os.environ.get("POD_NAME", ""))
        return field(1, field(1, f"/{SERVICE}/{method}") + headers + field(4, pod))

    return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
    method: echo(method) for method in ("Echo", "EchoTwo")
})])
if server.add_insecure_port(f"[::]:{sys.argv[1]}") == 0:
    sys.exit(f"cannot listen on port {sys.argv[1]}")
server.start()
server.wait_for_termination()
