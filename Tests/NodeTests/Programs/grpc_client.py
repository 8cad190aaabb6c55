"""One case against grpc_server.py; fails with what is wrong.

  grpc_client.py [--through] CASE TARGET

--through: the answers must have `x-through: weir` in their initial metadata; without it they must not. Prints what the
case counted, as JSON.
"""

import collections
import hashlib
import json
import os
import queue
import sys
import threading
import time
import traceback
import uuid

import grpc

SERVICE = "weir.test.Peer"
MIB = 1 << 20
LONG = 60

through = "--through" in sys.argv
case, target = [word for word in sys.argv[1:] if word != "--through"]
channel = grpc.insecure_channel(target, options=[
    ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)])


def unary(method):
    return channel.unary_unary(f"/{SERVICE}/{method}")


def expect(condition, *what):
    if not condition:
        raise AssertionError(*what)


def check_way(call):
    marks = [value for key, value in call.initial_metadata() if key == "x-through"]
    expect(marks == (["weir"] if through else []), "x-through", marks)


def echo(message, **options):
    answer, call = unary("Echo").with_call(message, timeout=LONG, **options)
    expect(answer == message, f"{len(answer)} bytes came back for {len(message)}", answer[:50])
    expect(call.code() == grpc.StatusCode.OK, call.code())
    check_way(call)
    return call


def failure(start):
    """The RpcError that the call must end with, and its time in seconds."""
    began = time.monotonic()
    try:
        answer = start()
    except grpc.RpcError as error:
        return error, time.monotonic() - began
    raise AssertionError("no error but", answer)


def call_of(identifier):
    return json.loads(unary("Calls")(b"", timeout=LONG)).get(identifier)


def wait_until_ended(identifier):
    """The server's note of the call, once it knows of the call's end."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        call = call_of(identifier)
        if call and call["ended"]:
            return call
        time.sleep(0.02)
    raise AssertionError("the server never saw the end of the call", identifier, call_of(identifier))


def wait_until_begun(identifier):
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if call_of(identifier):
            return
        time.sleep(0.02)
    raise AssertionError("the server never saw the call", identifier)


def run_unary():
    for size in (0, 1, 100, 9_000, 16_379, 16_384, 65_535, 65_536, 300_000, MIB):
        echo(os.urandom(size))
    echo(b"compressible " * 10_000, compression=grpc.Compression.Gzip)


def run_metadata():
    every = bytes(range(256))
    sent = []
    for place in ("initial", "trailing"):
        sent += [
            (f"{place}-text", "a value, with a comma; and more"), (f"{place}-twice", "one"), (f"{place}-twice", "two"),
            (f"{place}-empty", ""), (f"{place}-long", "x" * 1500), (f"{place}-every-bin", every),
            (f"{place}-empty-bin", b""), (f"{place}-short-bin", b"\0"), (f"{place}-two-bin", b"\xff\xfe"),
            (f"{place}-two-bin", b"\xfd"),
        ]
    call = echo(b"m", metadata=sent)
    for place, seen in (("initial", call.initial_metadata()), ("trailing", call.trailing_metadata())):
        wanted = [pair for pair in sent if pair[0].startswith(place + "-")]
        for key in {key for key, _ in wanted}:
            values = [value for name, value in seen if name == key]
            expect(values == [value for name, value in wanted if name == key], place, key, values)


def run_client_streaming():
    messages = [os.urandom(size) for size in (0, 1, 5, 40_000) * 50]
    digest = hashlib.sha256(b"".join(messages)).hexdigest()
    answer, call = channel.stream_unary(f"/{SERVICE}/Collect").with_call(iter(messages), timeout=LONG)
    check_way(call)
    expect(json.loads(answer) == {"count": 200, "bytes": sum(map(len, messages)), "sha256": digest}, answer)


def run_server_streaming():
    for count, size in ((0, 4), (1, 4), (2000, 100), (100, 200_000)):
        call = channel.unary_stream(f"/{SERVICE}/Stream")(
            json.dumps({"count": count, "size": size}).encode(), timeout=LONG)
        check_way(call)
        for number, message in enumerate(call):
            expect(message == number.to_bytes(4, "big") + bytes(size - 4), "message", number, len(message))
            count -= 1
        expect(count == 0, count, "messages are missing")
        expect(call.code() == grpc.StatusCode.OK, call.code())


def run_bidirectional_streaming():
    messages = [os.urandom(size) for size in (0, 1, 1000, 70_000) * 100]
    call = channel.stream_stream(f"/{SERVICE}/Chat")(iter(messages), timeout=LONG)
    check_way(call)
    seen = list(call)
    expect(seen == messages, len(seen), "messages came back")


def run_lockstep():
    """1,000 messages, each sent when the answer to the one before has come: nothing may be held back."""
    outgoing = queue.Queue()
    call = channel.stream_stream(f"/{SERVICE}/Chat")(iter(outgoing.get, None), timeout=LONG)
    began = time.monotonic()
    for number in range(1000):
        message = b"message %d" % number
        outgoing.put(message)
        expect(next(call) == message, "message", number)
    outgoing.put(None)
    expect(list(call) == [], "more messages")
    check_way(call)
    return {"seconds": time.monotonic() - began}


def run_large():
    """16 MiB each way, by itself and as one of several messages of a stream."""
    message = os.urandom(16 * MIB)
    echo(message)
    call = channel.stream_stream(f"/{SERVICE}/Chat")(iter([message, b"small", message]), timeout=LONG)
    expect(list(call) == [message, b"small", message], "the stream differs")


def run_deadline():
    identifier = str(uuid.uuid4())
    error, seconds = failure(lambda: unary("Sleep")(
        b'{"seconds": 30}', timeout=0.6, metadata=[("call-id", identifier)]))
    expect(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error)
    expect(0.5 < seconds < 10, "took", seconds)
    call = wait_until_ended(identifier)
    expect(call["remaining"] is not None and call["remaining"] <= 0.7, "the server's deadline", call)
    expect(call["seconds"] < 15, "the server went on", call)
    # A call that ends in time is not disturbed by its deadline.
    expect(unary("Sleep")(b'{"seconds": 0.3}', timeout=LONG) == b"slept", "no answer")


def run_cancellation():
    sleeping, chatting, streaming = (str(uuid.uuid4()) for _ in range(3))
    future = unary("Sleep").future(b'{"seconds": 60}', metadata=[("call-id", sleeping)])
    wait_until_begun(sleeping)
    future.cancel()
    expect(wait_until_ended(sleeping)["seconds"] < 40, "the server went on")

    outgoing = queue.Queue()
    call = channel.stream_stream(f"/{SERVICE}/Chat")(iter(outgoing.get, None), metadata=[("call-id", chatting)])
    outgoing.put(b"one")
    expect(next(call) == b"one", "no answer")
    call.cancel()
    outgoing.put(None)
    wait_until_ended(chatting)

    call = channel.unary_stream(f"/{SERVICE}/Stream")(
        b'{"count": 100000000, "size": 1000}', metadata=[("call-id", streaming)])
    for _ in range(100):
        next(call)
    call.cancel()
    wait_until_ended(streaming)
    # The connection is not harmed.
    echo(b"afterwards")


def run_error():
    for code in range(1, 17):
        details = f"code {code}: 100 %, grün\n{'x' * code}"
        wish = json.dumps({"code": code, "details": details}).encode()
        error, _ = failure(lambda: unary("Fail")(wish, timeout=LONG, metadata=[("trailing-kept-bin", b"\0\1")]))
        expect(error.code().value[0] == code, error)
        expect(error.details() == details, error.details())
        expect(("trailing-kept-bin", b"\0\1") in [tuple(pair) for pair in error.trailing_metadata()], "trailers", error)
        call = channel.unary_stream(f"/{SERVICE}/FailLate")(wish, timeout=LONG)
        seen = []
        error, _ = failure(lambda: [seen.append(message) for message in call])
        expect(seen == [b"0", b"1", b"2"], seen)
        expect((error.code().value[0], error.details()) == (code, details), error)


def run_concurrent():
    """2,000 unary calls on one channel, 64 at a time. Prints how many each pod answered."""
    pods, free, lock, wrong = collections.Counter(), threading.Semaphore(64), threading.Lock(), []

    def done(future, message):
        try:
            expect(future.result() == message, "another call's answer")
            check_way(future)
            pod = next(value for key, value in future.initial_metadata() if key == "pod")
            with lock:
                pods[pod] += 1
        except Exception as error:
            wrong.append(repr(error))
        free.release()

    for number in range(2000):
        free.acquire()
        message = b"%d " % number * 20
        unary("Echo").future(message, timeout=LONG).add_done_callback(lambda future, sent=message: done(future, sent))
    for _ in range(64):
        free.acquire()
    expect(not wrong, len(wrong), wrong[:3])
    return {"pods": pods}


def run_mixed():
    """Every kind of call at once on one channel: none waits for another's end."""
    failures = []

    def guarded(run):
        try:
            run()
        except BaseException as error:
            failures.append(f"{run.__name__}: {error!r}")

    threads = [threading.Thread(target=guarded, args=(run,)) for run in (
        run_unary, run_metadata, run_client_streaming, run_server_streaming, run_bidirectional_streaming, run_lockstep,
        run_large, run_deadline, run_cancellation, run_error)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not failures, failures)


def run_refusal():
    """What a unary call and a stream end with, as JSON; the caller knows what it should be."""
    refusals = []
    for start in (
            lambda: unary("Echo").with_call(b"x", timeout=LONG),
            lambda: list(channel.stream_stream(f"/{SERVICE}/Chat")(iter([b"x"]), timeout=LONG))):
        error, seconds = failure(start)
        metadata = list(error.initial_metadata() or []) + list(error.trailing_metadata() or [])
        refusals.append({
            "code": error.code().name, "details": error.details(), "seconds": seconds,
            "reason": next((value for key, value in metadata if key == "x-weir-reason"), None)})
    return {"refusals": refusals}


def run_sleep():
    """How a call of half a minute with a deadline of a minute ends, when somebody else ends it."""
    error, seconds = failure(lambda: unary("Sleep")(b'{"seconds": 30}', timeout=LONG))
    return {"refusals": [{"code": error.code().name, "details": error.details(), "seconds": seconds, "reason": None}]}


try:
    if case not in ("refusal", "sleep"):
        echo(b"the way there")
    print(json.dumps(globals()["run_" + case.replace("-", "_")]() or {}), flush=True)
except Exception:
    # Threads that still wait for a message must not keep the program.
    traceback.print_exc()
    os._exit(1)
