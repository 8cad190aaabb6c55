import HTTPWire
import Model
import Reactor

extension Worker {
    /// Notes what the response says to a browser (GEP-1767). True: the request is a preflight, and has been answered.
    mutating func answeredPreflight(
        _ x: Exchange, _ cors: Unmanaged<CORSTable>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead,
        _ method: Method
    ) -> Bool {
        var writer = HeadWriter(out)
        let isPreflight = cors._withUnsafeGuaranteedRef {
            $0.answer(
                Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)),
                Span(_unsafeElements: UnsafeBufferPointer(rebasing: fields[..<head.fieldCount])),
                isOptions: method == .options, into: &writer)
        }
        x.pointee.responseLines.clear(&buffers)
        x.pointee.responseLines.append(UnsafeRawBufferPointer(rebasing: out[..<writer.count]), &buffers)
        if isPreflight { answer(x, .corsPreflight) { $0.append("a preflight is answered here") } }
        return isPreflight
    }
}
